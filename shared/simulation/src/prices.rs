//! Prices of AWS in `us-east-1`, in US dollars, without the free tiers, which only new and small accounts have.

use std::time::Duration;

use serde::Serialize;

/// The prices that a bill is computed from. Each is a setting, since they change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Prices {
    /// A million Lambda requests. Page "AWS Lambda Pricing", <https://aws.amazon.com/lambda/pricing/>
    pub lambda_million_requests: f64,
    /// A GB-second of Lambda on arm64, first tier. The same page.
    pub lambda_gb_second_arm64: f64,
    /// A GB-second of Lambda on x86, first tier. The same page.
    pub lambda_gb_second_x86: f64,
    /// A million requests to a standard queue. Page "Amazon SQS pricing", <https://aws.amazon.com/sqs/pricing/>
    pub sqs_million_requests: f64,
    /// A million scheduled invocations. Page "Amazon EventBridge pricing", <https://aws.amazon.com/eventbridge/pricing/>
    pub scheduler_million_invocations: f64,
}

impl Default for Prices {
    fn default() -> Prices {
        Prices {
            lambda_million_requests: 0.20,
            lambda_gb_second_arm64: 0.000_013_333_4,
            lambda_gb_second_x86: 0.000_016_666_7,
            sqs_million_requests: 0.40,
            scheduler_million_invocations: 1.00,
        }
    }
}

/// The length of a month in a bill, in days.
pub const DAYS_PER_MONTH: f64 = 30.0;

/// A function's memory in MB: the minimum of Lambda, and four times what a worker needs.
pub const MEMORY_MB: u64 = 128;

/// Usage of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    /// Lambda invocations that ran.
    pub invocations: u64,
    /// Billed milliseconds of all of them.
    pub billed_millis: u64,
    /// Requests to the queue.
    pub sqs_requests: u64,
    /// Scheduled invocations.
    pub scheduled: u64,
}

/// The cost of a month with the same usage, in US dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bill {
    /// GB-seconds of the run itself.
    pub gb_seconds: f64,
    /// Lambda's requests.
    pub lambda_requests: f64,
    /// Lambda's time, on arm64.
    pub lambda_time: f64,
    /// The queue.
    pub sqs: f64,
    /// The schedules.
    pub scheduler: f64,
    /// The total.
    pub month: f64,
    /// The total, with Lambda on x86.
    pub month_x86: f64,
}

const MB_PER_GB: f64 = 1_024.0;
const MILLION: f64 = 1_000_000.0;
const DAY: f64 = 86_400.0;

impl Used {
    /// Returns the bill of a month whose usage continues like that of this run, which lasted `lasted`.
    pub fn bill(&self, prices: &Prices, lasted: Duration) -> Bill {
        let months = lasted.as_secs_f64() / DAY / DAYS_PER_MONTH;
        let a_month = |dollars: f64| if months > 0.0 { dollars / months } else { 0.0 };
        let gb_seconds = self.billed_millis as f64 / 1_000.0 * MEMORY_MB as f64 / MB_PER_GB;
        let lambda_requests = a_month(self.invocations as f64 / MILLION * prices.lambda_million_requests);
        let lambda_time = a_month(gb_seconds * prices.lambda_gb_second_arm64);
        let sqs = a_month(self.sqs_requests as f64 / MILLION * prices.sqs_million_requests);
        let scheduler = a_month(self.scheduled as f64 / MILLION * prices.scheduler_million_invocations);
        let month = lambda_requests + lambda_time + sqs + scheduler;
        let month_x86 = month - lambda_time + a_month(gb_seconds * prices.lambda_gb_second_x86);
        Bill { gb_seconds, lambda_requests, lambda_time, sqs, scheduler, month, month_x86 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_billed_as_the_pages_say() {
        let used = Used {
            invocations: 3_000_000,
            billed_millis: 8_000_000_000,
            sqs_requests: 10_000_000,
            scheduled: 2_000_000,
        };
        let bill = used.bill(&Prices::default(), Duration::from_secs(30 * 86_400));
        assert_eq!(bill.gb_seconds, 1_000_000.0);
        assert!((bill.lambda_requests - 0.60).abs() < 1e-9);
        assert!((bill.lambda_time - 13.3334).abs() < 1e-9);
        assert!((bill.sqs - 4.0).abs() < 1e-9);
        assert!((bill.scheduler - 2.0).abs() < 1e-9);
        assert!((bill.month - 19.9334).abs() < 1e-9);
        assert!((bill.month_x86 - 23.2667).abs() < 1e-9);
    }

    #[test]
    fn a_day_is_a_thirtieth_of_a_month() {
        let used = Used { sqs_requests: 1_000_000, ..Used::default() };
        let bill = used.bill(&Prices::default(), Duration::from_secs(86_400));
        assert!((bill.month - 12.0).abs() < 1e-9);
    }
}
