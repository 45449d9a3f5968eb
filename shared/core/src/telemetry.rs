//! What is measured, and how it leaves a worker: as events and spans of `tracing`, which cost next to nothing while
//! nobody collects them. Whoever does, a host, decides where they go.

/// The target of events that carry a measurement, and of nothing else.
pub const METRICS: &str = "stint::metrics";

/// The target of spans that belong to a trace.
pub const TRACES: &str = "stint::traces";

/// The span of an invocation.
pub const INVOCATION: &str = "invocation";

/// The span of a call to an upstream.
pub const CALL: &str = "call";

/// The name that all metrics have in common, unless an installation has one of its own.
pub const NAMESPACE: &str = "Stint";

/// Everything that is measured. `docs/operating.md` says what each one is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Points that a window had spent when it closed. Recorded once per window, by whoever closed it.
    PointsSpent,
    /// Points that a window had left when it closed, likewise.
    PointsExpired,
    /// Points that a window had spent beyond its limit, likewise.
    PointsOverspent,
    /// Points on loan, as of the last look at the pool.
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
    /// Messages given back after a failure.
    Released,
    /// Messages moved to the dead letters because they can never succeed.
    DeadLetters,
    /// Messages put aside until there are points.
    Parked,
    /// Changes of a worker's concurrency.
    ThrottleChanges,
    /// The concurrency that was set last.
    Concurrency,
    /// How late a schedule or a wake-up came.
    WakeDelay,
    /// Pages of a stream that were stored.
    PagesStored,
    /// Pages of a stream that were given up.
    PagesLost,
    /// How far behind a stream its reader is, as of the last look.
    Lag,
    /// The same for each of its shards.
    ShardLag,
    /// Discoveries that stopped because the upstream turned them away, or because its pages make no sense.
    DiscoveryStops,
    /// Whether the breaker of an upstream is open: 1 when it opens and with each probe that fails, 0 when it closes.
    BreakerOpen,
    /// Refusals for haste (429) that did not say for how long.
    UnsaidLimits,
}

/// What recorded values add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// They are added.
    Sum,
    /// The last one holds.
    Latest,
    /// Each one matters: how many were how large.
    Spread,
}

/// What one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Points, messages, calls.
    Count,
    /// Time.
    Seconds,
}

/// What tells two series of a metric apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// A key of the pool, by its public id.
    Key,
    /// A queue, by its name.
    Queue,
    /// A worker, by its name.
    Worker,
    /// A stream that is followed, by its name, or one of its shards.
    Stream,
    /// An upstream, by the name of its breaker.
    Upstream,
}

impl Metric {
    /// All of them, in the order of the documentation.
    pub const ALL: [Metric; 23] = [
        Metric::PointsSpent,
        Metric::PointsExpired,
        Metric::PointsOverspent,
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
        Metric::BreakerOpen,
        Metric::UnsaidLimits,
    ];

    /// Its name, a promise to dashboards and alarms.
    pub fn name(self) -> &'static str {
        match self {
            Metric::PointsSpent => "PointsSpent",
            Metric::PointsExpired => "PointsExpired",
            Metric::PointsOverspent => "PointsOverspent",
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
            Metric::BreakerOpen => "BreakerOpen",
            Metric::UnsaidLimits => "UnsaidLimits",
        }
    }

    /// The metric of that name.
    pub fn named(name: &str) -> Option<Metric> {
        Metric::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// What its values add up to.
    pub fn kind(self) -> Kind {
        match self {
            Metric::PointsHeld | Metric::Concurrency | Metric::Lag | Metric::ShardLag | Metric::BreakerOpen => {
                Kind::Latest
            }
            Metric::WakeDelay => Kind::Spread,
            _ => Kind::Sum,
        }
    }

    /// What one is.
    pub fn unit(self) -> Unit {
        match self {
            Metric::WakeDelay | Metric::Lag | Metric::ShardLag => Unit::Seconds,
            _ => Unit::Count,
        }
    }

    /// What tells its series apart.
    pub fn dimension(self) -> Dimension {
        use Metric::{
            BreakerOpen, Calls, DeadLetters, Lag, PagesLost, PagesStored, Parked, PointsExpired, PointsHeld,
            PointsOverspent, PointsSpent, Receives, Refusals, Released, ShardLag, UnsaidLimits,
        };
        match self {
            PointsSpent | PointsExpired | PointsOverspent | PointsHeld | Calls | Refusals => Dimension::Key,
            Receives | Released | DeadLetters | Parked => Dimension::Queue,
            PagesStored | PagesLost | Lag | ShardLag => Dimension::Stream,
            BreakerOpen | UnsaidLimits => Dimension::Upstream,
            _ => Dimension::Worker,
        }
    }

    /// Records `value` of the key, queue, worker, stream or upstream `of`.
    pub fn record(self, of: &str, value: f64) {
        tracing::info!(target: METRICS, metric = self.name(), of, value);
    }
}

impl Dimension {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Dimension::Key => "Key",
            Dimension::Queue => "Queue",
            Dimension::Worker => "Worker",
            Dimension::Stream => "Stream",
            Dimension::Upstream => "Upstream",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Metric;

    #[test]
    fn every_metric_is_found_by_its_name() {
        for (index, metric) in Metric::ALL.into_iter().enumerate() {
            assert_eq!((metric as usize, Metric::named(metric.name())), (index, Some(metric)));
        }
        assert_eq!(Metric::named("Points"), None);
    }
}
