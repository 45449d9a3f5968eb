//! The conformance suite of the hosts that serve HTTP, over real sockets.

mod client;
mod failing;
mod policies;
mod serving;
mod worker;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use stint_core::ports::{PortError, PortResult, Throttle};

pub use client::{HttpClient, Received};
pub use failing::{
    a_large_response_is_sent_or_refused_by_name, a_slow_worker_is_a_timeout,
    a_wrong_method_is_refused_with_the_right_ones, failures_say_nothing_of_the_inside,
    headers_that_are_too_large_are_refused,
};
pub use policies::{
    a_key_is_needed_where_the_route_says_so, a_known_version_is_not_sent_again, a_paused_worker_is_unavailable,
    caches_are_told_what_they_may_keep, other_websites_read_what_the_route_permits,
    too_many_requests_are_told_when_to_return,
};
pub use serving::{
    a_body_arrives_and_a_larger_one_is_refused, a_request_arrives_with_all_its_values, a_stream_arrives_whole,
    binary_bodies_go_both_ways, events_arrive_in_order, head_is_get_without_a_body,
    large_text_is_compressed_on_request, request_ids_are_taken_over, requests_share_a_connection,
};
pub use worker::{HttpWorker, http_registry};

/// The conformance tests of a host that serves HTTP: `http_suite!(run, world)`, where `run` runs a future to its end and
/// `world` is a future of an [`crate::http::HttpWorld`].
#[macro_export]
macro_rules! http_suite {
    ($run:expr, $world:expr) => {
        $crate::expand_suite! {
            http, $run, $world,
            a_request_arrives_with_all_its_values
            a_body_arrives_and_a_larger_one_is_refused
            binary_bodies_go_both_ways
            requests_share_a_connection
            head_is_get_without_a_body
            request_ids_are_taken_over
            large_text_is_compressed_on_request
            a_stream_arrives_whole
            events_arrive_in_order
            a_key_is_needed_where_the_route_says_so
            other_websites_read_what_the_route_permits
            caches_are_told_what_they_may_keep
            a_known_version_is_not_sent_again
            too_many_requests_are_told_when_to_return
            a_paused_worker_is_unavailable
            a_wrong_method_is_refused_with_the_right_ones
            failures_say_nothing_of_the_inside
            a_slow_worker_is_a_timeout
            a_large_response_is_sent_or_refused_by_name
            headers_that_are_too_large_are_refused
        }
    };
}

/// A host that serves [`http_registry`] on a socket.
pub trait HttpWorld: Send + Sync {
    /// Where it listens.
    fn address(&self) -> SocketAddr;

    /// What stands before each path: the stage of a gateway.
    fn prefix(&self) -> &str {
        ""
    }

    /// Whether a function serves the requests, whose responses are limited.
    fn is_function(&self) -> bool;

    /// Whether an encoded slash stays within its segment. API Gateway decodes paths before a function gets them.
    fn keeps_encoded_slashes(&self) -> bool;

    /// Sets the clock of the host ahead, if that can be done.
    fn skip(&self, time: Duration) {
        let _ = time;
    }

    /// The throttle that the host reads, within moments.
    fn throttle(&self) -> Arc<dyn Throttle>;
}

/// Opens a connection.
fn connect(world: &dyn HttpWorld) -> PortResult<HttpClient> {
    HttpClient::connect(world.address(), world.prefix()).map_err(failed)
}

fn failed(error: std::io::Error) -> PortError {
    PortError::backend("the connection failed", error)
}
