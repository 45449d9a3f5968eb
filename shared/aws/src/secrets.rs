//! Secrets in SSM Parameter Store.
//!
//! This is a single kind of request, so it is signed and sent here: the SDK's client for SSM would add a hundred and
//! fifty operations, and the extension that AWS offers for this purpose is a second process in each function's memory.
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html>

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use stint_http::{RequestLimits, Transport};

/// The most names in one request.
const MAX_NAMES: usize = 10;

/// An answer contains at most ten values of 8 KB.
const LIMITS: RequestLimits = RequestLimits { timeout: Duration::from_secs(5), max_body: 256 * 1024 };

/// The value of a parameter.
pub struct Secret {
    /// The last part of the parameter's name.
    pub name: String,
    /// Not shown by `Debug`.
    pub value: SecretString,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SsmResponse {
    #[serde(default)]
    parameters: Vec<Parameter>,
    #[serde(default)]
    invalid_parameters: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    name: String,
    value: String,
}

/// The error body of a request that AWS refuses.
#[derive(Deserialize)]
struct SsmError {
    #[serde(rename = "__type")]
    kind: String,
    #[serde(alias = "Message")]
    message: Option<String>,
}

pub(crate) async fn read_secrets(
    config: &SdkConfig,
    names: &[String],
    now: Timestamp,
    transport: &dyn Transport,
) -> Result<Vec<Secret>, String> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    if names.len() > MAX_NAMES {
        return Err(format!("{} parameters of SSM at once, at most {MAX_NAMES}", names.len()));
    }
    let body = serde_json::json!({ "Names": names, "WithDecryption": true }).to_string();
    let request = signed(config, body, now).await.map_err(|error| context(&error))?;
    let answer = transport.send(request, LIMITS).await.map_err(|error| context(&error.to_string()))?;
    if !answer.status().is_success() {
        return Err(context(&refusal(&answer)));
    }
    // The parser's own error could quote a value.
    let answer: SsmResponse =
        serde_json::from_slice(answer.body()).map_err(|_| context("the answer is of an unknown form"))?;
    if !answer.invalid_parameters.is_empty() {
        return Err(context(&format!("there is no parameter {}", answer.invalid_parameters.join(", "))));
    }
    let secret = |Parameter { name, value }: Parameter| Secret {
        name: name.rsplit('/').next().unwrap_or_default().to_owned(),
        // A value that was stored from a file often ends in a newline.
        value: SecretString::from(value.trim()),
    };
    Ok(answer.parameters.into_iter().map(secret).collect())
}

async fn signed(config: &SdkConfig, body: String, now: Timestamp) -> Result<http::Request<Bytes>, String> {
    let region = config.region().ok_or("AWS_REGION is not set")?.to_string();
    let url = config.endpoint_url().map_or_else(|| format!("https://ssm.{region}.amazonaws.com"), str::to_owned);
    let provider = config.credentials_provider().ok_or("there are no credentials")?;
    let credentials = provider.provide_credentials().await.map_err(|error| error.to_string())?;
    let mut request = http::Request::post(format!("{}/", url.trim_end_matches('/')))
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "AmazonSSM.GetParameters")
        .body(Bytes::from(body))
        .map_err(|error| error.to_string())?;
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(&region)
        .name("ssm")
        .time(SystemTime::from(now))
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let headers = request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let body = SignableBody::Bytes(request.body());
    let signable = SignableRequest::new("POST", request.uri().to_string(), headers, body);
    let signable = signable.map_err(|error| error.to_string())?;
    let (instructions, _) = sign(signable, &parameters).map_err(|error| error.to_string())?.into_parts();
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}

fn refusal(answer: &http::Response<Bytes>) -> String {
    let Ok(SsmError { kind, message }) = serde_json::from_slice(answer.body()) else {
        return format!("status {}", answer.status().as_u16());
    };
    message.map_or_else(|| kind.clone(), |message| format!("{kind}: {message}"))
}

fn context(reason: &str) -> String {
    format!("could not read secrets from SSM: {reason}")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use aws_config::{BehaviorVersion, Region};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use secrecy::ExposeSecret;
    use stint_http::{Body, TransportError};

    use super::*;

    /// Gives the same answer to every request, and keeps the last request.
    struct Fixed(u16, &'static str, Mutex<Option<http::Request<Bytes>>>);

    #[async_trait]
    impl Transport for Fixed {
        async fn open(
            &self,
            request: http::Request<Bytes>,
            _: RequestLimits,
        ) -> Result<http::Response<Body>, TransportError> {
            *self.2.lock().unwrap() = Some(request);
            let body = Body::whole(Bytes::from_static(self.1.as_bytes()));
            Ok(http::Response::builder().status(self.0).body(body).unwrap())
        }
    }

    fn ask(transport: &Fixed) -> Result<Vec<Secret>, String> {
        let credentials = Credentials::new("id", "hidden", Some("token".into()), None, "tests");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let names = ["/stint/warcraftlogs/WCL_KEYS".to_owned()];
        let now = "2026-11-20T10:00:00Z".parse().unwrap();
        futures::executor::block_on(read_secrets(&config, &names, now, transport))
    }

    #[test]
    fn parameters_are_named_by_their_last_part() {
        let body =
            r#"{"Parameters": [{"Name": "/stint/warcraftlogs/WCL_KEYS", "Value": "a:b\n"}], "InvalidParameters": []}"#;
        let transport = Fixed(200, body, Mutex::default());
        let secrets = ask(&transport).unwrap();
        assert_eq!((secrets[0].name.as_str(), secrets[0].value.expose_secret()), ("WCL_KEYS", "a:b"));
        let request = transport.2.lock().unwrap().take().unwrap();
        assert_eq!(request.uri(), "https://ssm.eu-west-1.amazonaws.com/");
        assert_eq!(request.headers()["x-amz-date"], "20261120T100000Z");
        assert_eq!(request.headers()["x-amz-security-token"], "token");
        let signature = request.headers()["authorization"].to_str().unwrap();
        assert!(signature.contains("Credential=id/20261120/eu-west-1/ssm/aws4_request"), "{signature}");
    }

    #[test]
    fn what_is_missing_or_forbidden_is_named() {
        let missing = r#"{"InvalidParameters": ["/stint/warcraftlogs/WCL_KEYS"]}"#;
        let error = ask(&Fixed(200, missing, Mutex::default())).err().unwrap();
        assert_eq!(error, "could not read secrets from SSM: there is no parameter /stint/warcraftlogs/WCL_KEYS");
        let forbidden = r#"{"__type": "AccessDeniedException", "Message": "not yours"}"#;
        let error = ask(&Fixed(400, forbidden, Mutex::default())).err().unwrap();
        assert_eq!(error, "could not read secrets from SSM: AccessDeniedException: not yours");
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_not_repeated() {
        let error =
            ask(&Fixed(200, r#"{"Parameters": [{"Name": 1, "Value": "a:b"}]}"#, Mutex::default())).err().unwrap();
        assert!(error.ends_with("unknown form") && !error.contains("a:b"), "{error}");
    }
}
