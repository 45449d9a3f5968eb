//! What is measured, and how a worker emits it: as `tracing` events and spans, which cost next to nothing without a
//! subscriber. The host decides where they go.

/// The target of events that carry a measurement, and of nothing else.
pub const METRICS: &str = "stint::metrics";

/// The target of spans that belong to a trace.
pub const TRACES: &str = "stint::traces";

/// The span of an invocation.
pub const INVOCATION: &str = "invocation";

/// The span of a call to an upstream.
pub const CALL: &str = "call";

/// The namespace of all metrics, unless an installation sets its own.
pub const NAMESPACE: &str = "Stint";

/// Everything that is measured. `docs/operating.md` says what each metric is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Points that a window had spent when it closed. Recorded once per window, by the caller that closed it.
    PointsSpent,
    /// Points that a window had left when it closed. Recorded like [`Metric::PointsSpent`].
    PointsExpired,
    /// Points that a window had spent beyond its limit. Recorded like [`Metric::PointsSpent`].
    PointsOverspent,
    /// The same points as [`Metric::PointsExpired`], of all keys together. An alarm compares them with the backlog of the
    /// worker that they were for, and an alarm cannot add up keys that infrastructure does not know.
    PointsUnused,
    /// Points held, as of the last look at the pool.
    PointsHeld,
    /// Calls to the upstream.
    Calls,
    /// Calls that the upstream refused for lack of points.
    Refusals,
    /// Invocations.
    Invocations,
    /// Invocations that failed.
    Failures,
    /// Batches that failed, or for which nothing could be done.
    Wasted,
    /// Messages received.
    Receives,
    /// Messages released after a failure.
    Released,
    /// Messages moved to the dead letters because they can never succeed.
    DeadLetters,
    /// Messages parked until there are points.
    Parked,
    /// Changes of a worker's concurrency.
    ThrottleChanges,
    /// The concurrency that was last set.
    Concurrency,
    /// How late a schedule or a wake-up fired.
    WakeDelay,
    /// Pages of a stream that were stored.
    PagesStored,
    /// Pages of a stream that were given up.
    PagesLost,
    /// How far a reader is behind its stream, as of the last look.
    Lag,
    /// How far a reader is behind each shard of its stream, as of the last look.
    ShardLag,
    /// Discoveries that stopped because the upstream refused them, or because its pages make no sense.
    DiscoveryStops,
    /// How long the discovery that has waited longest has been due, as of the last discovery.
    DiscoveryOverdue,
    /// Whether the breaker of an upstream is open: 1 when it opens and at each failed probe, 0 when it closes.
    BreakerOpen,
    /// Rate-limit refusals (429) that did not say how long to wait.
    UnspecifiedRetryAfter,
}

/// How recorded values combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Values are summed.
    Sum,
    /// The latest value counts.
    Latest,
    /// Values form a distribution.
    Distribution,
}

/// The unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricUnit {
    /// Points, messages, calls.
    Count,
    /// Time.
    Seconds,
}

/// The dimension that separates the series of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricDimension {
    /// A key of the pool, by its public id.
    Key,
    /// A queue, by its name.
    Queue,
    /// A worker, by its fleet and its name, as in `warcraftlogs/discover`.
    Worker,
    /// A stream that is followed, or one of its shards, by name.
    Stream,
    /// An upstream, by the name of its breaker.
    Upstream,
}

impl Metric {
    /// All metrics, in the order of the documentation.
    pub const ALL: [Metric; 25] = [
        Metric::PointsSpent,
        Metric::PointsExpired,
        Metric::PointsOverspent,
        Metric::PointsUnused,
        Metric::PointsHeld,
        Metric::Calls,
        Metric::Refusals,
        Metric::Invocations,
        Metric::Failures,
        Metric::Wasted,
        Metric::Receives,
        Metric::Released,
        Metric::DeadLetters,
        Metric::Parked,
        Metric::ThrottleChanges,
        Metric::Concurrency,
        Metric::WakeDelay,
        Metric::PagesStored,
        Metric::PagesLost,
        Metric::Lag,
        Metric::ShardLag,
        Metric::DiscoveryStops,
        Metric::DiscoveryOverdue,
        Metric::BreakerOpen,
        Metric::UnspecifiedRetryAfter,
    ];

    /// Returns the metric's name, which dashboards and alarms rely on.
    pub fn name(self) -> &'static str {
        match self {
            Metric::PointsSpent => "PointsSpent",
            Metric::PointsExpired => "PointsExpired",
            Metric::PointsOverspent => "PointsOverspent",
            Metric::PointsUnused => "PointsUnused",
            Metric::PointsHeld => "PointsHeld",
            Metric::Calls => "Calls",
            Metric::Refusals => "Refusals",
            Metric::Invocations => "Invocations",
            Metric::Failures => "Failures",
            Metric::Wasted => "Wasted",
            Metric::Receives => "Receives",
            Metric::Released => "Released",
            Metric::DeadLetters => "DeadLetters",
            Metric::Parked => "Parked",
            Metric::ThrottleChanges => "ThrottleChanges",
            Metric::Concurrency => "Concurrency",
            Metric::WakeDelay => "WakeDelay",
            Metric::PagesStored => "PagesStored",
            Metric::PagesLost => "PagesLost",
            Metric::Lag => "Lag",
            Metric::ShardLag => "ShardLag",
            Metric::DiscoveryStops => "DiscoveryStops",
            Metric::DiscoveryOverdue => "DiscoveryOverdue",
            Metric::BreakerOpen => "BreakerOpen",
            Metric::UnspecifiedRetryAfter => "UnsaidLimits",
        }
    }

    /// Returns the metric of that name.
    pub fn named(name: &str) -> Option<Metric> {
        Metric::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// Returns whether an alarm or a dashboard in `infra/` uses it. CloudWatch bills every metric that it receives, so it
    /// receives no other. OTLP exports all of them.
    pub fn is_on_cloudwatch(self) -> bool {
        use Metric::{
            BreakerOpen, DiscoveryOverdue, DiscoveryStops, Lag, PagesLost, PagesStored, PointsExpired, PointsHeld,
            PointsSpent, PointsUnused,
        };
        let points = matches!(self, PointsSpent | PointsExpired | PointsHeld | PointsUnused);
        let pages = matches!(self, PagesStored | PagesLost | Lag);
        points || pages || matches!(self, DiscoveryStops | DiscoveryOverdue | BreakerOpen)
    }

    /// Returns how its values combine.
    pub fn kind(self) -> MetricKind {
        use Metric::{BreakerOpen, Concurrency, DiscoveryOverdue, Lag, PointsHeld, ShardLag};
        match self {
            PointsHeld | Concurrency | Lag | ShardLag | DiscoveryOverdue | BreakerOpen => MetricKind::Latest,
            Metric::WakeDelay => MetricKind::Distribution,
            _ => MetricKind::Sum,
        }
    }

    /// Returns its unit.
    pub fn unit(self) -> MetricUnit {
        match self {
            Metric::WakeDelay | Metric::Lag | Metric::ShardLag | Metric::DiscoveryOverdue => MetricUnit::Seconds,
            _ => MetricUnit::Count,
        }
    }

    /// Returns the dimension that separates its series.
    pub fn dimension(self) -> MetricDimension {
        use Metric::{
            BreakerOpen, Calls, DeadLetters, Lag, PagesLost, PagesStored, Parked, PointsExpired, PointsHeld,
            PointsOverspent, PointsSpent, Receives, Refusals, Released, ShardLag, UnspecifiedRetryAfter,
        };
        match self {
            PointsSpent | PointsExpired | PointsOverspent | PointsHeld | Calls | Refusals => MetricDimension::Key,
            Receives | Released | DeadLetters | Parked => MetricDimension::Queue,
            PagesStored | PagesLost | Lag | ShardLag => MetricDimension::Stream,
            BreakerOpen | UnspecifiedRetryAfter => MetricDimension::Upstream,
            _ => MetricDimension::Worker,
        }
    }

    /// Records `value` for the key, queue, worker, stream or upstream named `of`.
    pub fn record(self, series: &str, value: f64) {
        tracing::info!(target: METRICS, metric = self.name(), of = series, value);
    }
}

impl MetricDimension {
    /// Returns the dimension's name.
    pub fn name(self) -> &'static str {
        match self {
            MetricDimension::Key => "Key",
            MetricDimension::Queue => "Queue",
            MetricDimension::Worker => "Worker",
            MetricDimension::Stream => "Stream",
            MetricDimension::Upstream => "Upstream",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Metric, MetricKind};

    /// The embedded format of CloudWatch is written with one value for each metric.
    #[test]
    fn what_is_on_cloudwatch_has_one_value() {
        assert!(Metric::ALL.iter().all(|it| !it.is_on_cloudwatch() || it.kind() != MetricKind::Distribution));
    }

    #[test]
    fn every_metric_is_found_by_its_name() {
        for (index, metric) in Metric::ALL.into_iter().enumerate() {
            assert_eq!((metric as usize, Metric::named(metric.name())), (index, Some(metric)));
        }
        assert_eq!(Metric::named("Points"), None);
    }
}
