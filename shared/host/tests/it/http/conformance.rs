//! Both hosts pass one suite: the local host, and the Lambda host behind each of what may stand before it.

use futures::executor::block_on;
use stint_host::http::ServerLimits;
use stint_runtime_api::Front;
use stint_testkit::http::http_registry;

use super::world::RunningHost;

mod local {
    use super::*;

    stint_testkit::http_suite!(block_on, async { RunningHost::serving(http_registry(), ServerLimits::default()) });
}

mod gateway {
    use super::*;

    stint_testkit::http_suite!(block_on, async { RunningHost::function(Front::Gateway { stage: "$default" }) });
}

mod gateway_with_a_stage {
    use super::*;

    stint_testkit::http_suite!(block_on, async { RunningHost::function(Front::Gateway { stage: "v1" }) });
}

mod function_url {
    use super::*;

    stint_testkit::http_suite!(block_on, async { RunningHost::function(Front::FunctionUrl) });
}
