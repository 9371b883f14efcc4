//! Asks AWS who it is, once for each line on stdin: with one client, as a service does.

use std::error::Error;
use std::io::{stdin, BufRead};

use aws_config::BehaviorVersion;
use aws_sdk_sts::error::ProvideErrorMetadata;
use aws_sdk_sts::Client;
use aws_smithy_http_client::Builder;
use serde_json::{json, Value};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // Nothing here speaks TLS, and a TLS library takes longer to compile than all else.
    let http = Builder::new().build_http();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .load()
        .await;
    let client = Client::new(&config);
    for _ in stdin().lock().lines() {
        println!("{}", call(&client).await);
    }
}

async fn call(client: &Client) -> Value {
    match client.get_caller_identity().send().await {
        Ok(identity) => json!({"arn": identity.arn()}),
        Err(error) => {
            json!({"error": error.code().map_or_else(|| innermost(&error), String::from)})
        }
    }
}

/// What the error at the bottom says: there are no codes for what isn't AWS's answer.
fn innermost(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}
