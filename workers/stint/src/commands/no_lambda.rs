//! One worker as a function of AWS Lambda, where this program was built without AWS.

use anyhow::bail;

use crate::built::built_without_cloud;
use crate::context::Context;

pub(crate) const HELP: &str = "This program was built without AWS, so it cannot run as a Lambda function.";

/// Says what is missing.
pub(crate) async fn run(_: &Context) -> anyhow::Result<()> {
    bail!(built_without_cloud("AWS Lambda", "aws"))
}
