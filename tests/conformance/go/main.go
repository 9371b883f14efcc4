// Asks AWS who it is, once for each line on stdin: with one client, as a service does.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

func main() {
	settings, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(err)
	}
	client := sts.NewFromConfig(settings)
	answers := json.NewEncoder(os.Stdout)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := answers.Encode(call(client)); err != nil {
			panic(err)
		}
	}
}

func call(client *sts.Client) map[string]string {
	identity, err := client.GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
	if err != nil {
		return map[string]string{"error": code(err)}
	}
	return map[string]string{"arn": *identity.Arn}
}

// code is the code that AWS or the sidecar gave, else what the error at the bottom says: most have no type of their own.
func code(err error) string {
	var given smithy.APIError
	if errors.As(err, &given) {
		return given.ErrorCode()
	}
	for below := errors.Unwrap(err); below != nil; below = errors.Unwrap(err) {
		err = below
	}
	return err.Error()
}
