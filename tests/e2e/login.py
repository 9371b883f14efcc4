"""What runs in a pod of somebody who logs in at the gateway, first with a wrong password, and calls AWS then."""

import configparser
import json
import os
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

import boto3

TRUSTED = ssl.create_default_context(cadata=os.environ["AUTHORITY"])


def login(password: str) -> str:
    form = urllib.parse.urlencode({"username": os.environ["USERNAME"], "password": password, "duration": "15m"})
    url = f"https://{os.environ['GATEWAY']}/actuator/awsSts"
    with urllib.request.urlopen(url, form.encode(), context=TRUSTED, timeout=60) as answer:
        return str(answer.read().decode())


try:
    login("something else")
    refusal = 0
except urllib.error.HTTPError as error:
    refusal = error.code
given = configparser.ConfigParser()
given.read_string(login(os.environ["PASSWORD"]))
held = given["default"]
session = boto3.Session(held["aws_access_key_id"], held["aws_secret_access_key"], held["aws_session_token"])
arn = session.client("sts", region_name="eu-central-1").get_caller_identity()["Arn"]
said = {"refusal": refusal, "arn": arn, "key": held["aws_access_key_id"]}
sys.stdout.write(f"{json.dumps(said)}\n")
