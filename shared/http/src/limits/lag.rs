//! How little time passes, for certain, between a request and its being counted.
//!
//! A request is counted somewhere between its sending and its answer. To be safe whatever the truth, a hit must be
//! taken to leave its window one period after its *answer*, and the request that takes its place to be counted when
//! it is *sent*. That costs one round trip in every period: a tenth of two requests per second at 100 ms.
//!
//! But the way to the upstream takes its time, and so does the way back: the least round trip, `L`, passes between any
//! request's sending and its counting plus between any counting and its answer, however it is split between the two.
//! So the next request may go `L` earlier, and only what a round trip takes *more* than the least is lost.
//!
//! That holds for a network. It does not for an upstream that waits, then counts, then waits. So the lag is not
//! believed, it is proved, with a hit to spare:
//!
//! 1. *measuring*: the lag is taken to be zero. [`SAMPLES`] round trips give a least one and a usual one; the lag to
//!    prove is the least, less three quarters of what lies between the two, since the least was not the least there is.
//! 2. *proving*: one hit fewer than permitted is used, each as early as the lag says. The upstream's own count in each
//!    answer says whether the hit that should have left its window has left it. If not, nobody is refused: there was
//!    a hit to spare. [`PROOFS`] agreeing answers in a row are a proof.
//! 3. *settled*: all hits are used, with the lag that was proved, or without one: when an answer has disproved it, or
//!    when a round trip is so short that there is nothing to gain ([`WORTH_PROVING`]). After [`ANSWERS_SETTLED`] it
//!    begins anew, since networks change.
//!
//! Whoever was refused all the same takes no lag any more.

use std::time::Duration;

/// Round trips that are measured first. Few come near the least there is: where both ways vary evenly, the least of so
/// many misses it by more than is taken off in two cases of a thousand.
const SAMPLES: usize = 64;

/// Answers that must agree. An upstream that contradicts the lag in one of five requests passes once in a thousand
/// times; one that counts at a random moment of the round trip contradicts it in one of four.
const PROOFS: usize = 32;

/// Agreeing answers after which the proof ends, with the lag that [`PROOFS`] of them have shown: a hit is spared meanwhile.
const MOST_SHOWN: usize = 2 * PROOFS;

/// The share of a period below which the lag is not worth its proof.
const WORTH_PROVING: f64 = 0.005;

/// Hours at two requests in a second; what is learned anew costs one request in five hundred.
const ANSWERS_SETTLED: u32 = 20_000;

/// How late a request may go, after the lag lets it, to still prove something.
const PUNCTUAL: Duration = Duration::from_millis(2);

#[derive(Clone, Debug)]
pub(super) struct Lag {
    phase: Phase,
}

#[derive(Clone, Debug)]
enum Phase {
    Measuring(Vec<Duration>),
    Proving { lag: Duration, shown: Vec<Duration> },
    Settled { lag: Duration, answers: u32 },
    Off,
}

impl Lag {
    pub(super) fn unknown() -> Lag {
        Lag { phase: Phase::Measuring(Vec::new()) }
    }

    /// For whoever spares a hit in any case, and needs no lag.
    pub(super) fn off() -> Lag {
        Lag { phase: Phase::Off }
    }

    /// What may be taken off one period.
    pub(super) fn least(&self) -> Duration {
        match self.phase {
            Phase::Proving { lag, .. } | Phase::Settled { lag, .. } => lag,
            Phase::Measuring(_) | Phase::Off => Duration::ZERO,
        }
    }

    /// Whether a hit must be spared, because an answer may still disprove the lag.
    pub(super) fn unproved(&self) -> bool {
        matches!(self.phase, Phase::Proving { .. })
    }

    /// A request has been answered after `round_trip`; `period` is that of the strictest window.
    pub(super) fn measured(&mut self, round_trip: Duration, period: Duration) {
        if let Phase::Proving { lag, .. } | Phase::Settled { lag, .. } = &mut self.phase
            && round_trip < *lag
        {
            // Faster than the least: as far below it now as that was above it. Less is safe without a proof.
            *lag = round_trip.saturating_sub(*lag - round_trip);
        }
        match &mut self.phase {
            Phase::Measuring(samples) => {
                samples.push(round_trip);
                if samples.len() == SAMPLES {
                    self.phase = to_prove(samples, period);
                }
            }
            Phase::Settled { answers, .. } => {
                *answers += 1;
                if *answers == ANSWERS_SETTLED {
                    self.phase = Phase::Measuring(Vec::new());
                }
            }
            Phase::Proving { .. } | Phase::Off => {}
        }
    }

    /// A request that went `early` of the whole distance to another found that other one gone.
    pub(super) fn agreed(&mut self, early: Duration) {
        let Phase::Proving { lag, shown } = &mut self.phase else { return };
        shown.push(early);
        let lag = *lag;
        if shown.iter().filter(|early| **early + PUNCTUAL >= lag).count() >= PROOFS {
            self.phase = Phase::Settled { lag, answers: 0 };
        } else if shown.len() == MOST_SHOWN {
            // A clock that wakes late proves less than was hoped for: what so many answers have shown.
            shown.sort_unstable();
            self.phase = Phase::Settled { lag: shown[MOST_SHOWN - PROOFS].min(lag), answers: 0 };
        }
    }

    /// The upstream has counted what should have been gone.
    pub(super) fn disproved(&mut self) {
        if !self.least().is_zero() {
            let lag_ms = self.least().as_millis();
            tracing::info!(lag_ms, "the upstream counts requests later than they take: keeping the whole distance");
            self.phase = Phase::Settled { lag: Duration::ZERO, answers: 0 };
        }
    }

    /// The upstream has refused a request.
    pub(super) fn refused(&mut self) {
        self.phase = Phase::Off;
    }
}

/// What is to prove after the round trips of `samples`.
fn to_prove(samples: &mut [Duration], period: Duration) -> Phase {
    samples.sort_unstable();
    let (least, usual) = (samples[0], samples[samples.len() / 2]);
    let lag = least.saturating_sub(usual.saturating_sub(least) * 3 / 4);
    if lag > period.mul_f64(WORTH_PROVING) {
        Phase::Proving { lag, shown: Vec::new() }
    } else {
        Phase::Settled { lag: Duration::ZERO, answers: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// After round trips of 40 to 71 ms.
    fn measured() -> Lag {
        let mut lag = Lag::unknown();
        (0..SAMPLES as u64).for_each(|sample| lag.measured(millis(40 + sample / 2), SECOND));
        lag
    }

    fn proved() -> Lag {
        let mut lag = measured();
        (0..PROOFS).for_each(|_| lag.agreed(lag.least()));
        lag
    }

    #[test]
    fn a_lag_is_less_than_the_least_round_trip_and_needs_a_proof() {
        let lag = measured();
        assert_eq!((lag.least(), lag.unproved()), (millis(28), true));
        assert_eq!((proved().least(), proved().unproved()), (millis(28), false));
    }

    #[test]
    fn only_who_goes_as_early_as_the_lag_says_proves_it() {
        let mut lag = measured();
        (0..PROOFS * 2 - 1).for_each(|_| lag.agreed(millis(25)));
        assert!(lag.unproved());
    }

    #[test]
    fn a_clock_that_wakes_late_proves_what_it_has_shown_and_no_more() {
        let mut lag = measured();
        let shown = [millis(5), millis(25)];
        (0..PROOFS).for_each(|_| shown.iter().for_each(|early| lag.agreed(*early)));
        assert_eq!((lag.least(), lag.unproved()), (millis(25), false));
    }

    #[test]
    fn one_answer_disproves_it() {
        for mut lag in [measured(), proved()] {
            lag.disproved();
            assert_eq!((lag.least(), lag.unproved()), (Duration::ZERO, false));
        }
    }

    #[test]
    fn a_faster_round_trip_lowers_it() {
        let mut lag = proved();
        lag.measured(millis(26), SECOND);
        assert_eq!(lag.least(), millis(24));
        lag.measured(millis(3), SECOND);
        assert_eq!(lag.least(), Duration::ZERO);
    }

    #[test]
    fn what_gains_nothing_is_not_proved() {
        let mut lag = Lag::unknown();
        (0..SAMPLES).for_each(|_| lag.measured(millis(4), SECOND));
        assert!(!lag.unproved());
    }

    #[test]
    fn it_is_learned_anew_unless_somebody_was_refused() {
        let mut lag = proved();
        (0..ANSWERS_SETTLED).for_each(|_| lag.measured(millis(100), SECOND));
        assert_eq!(lag.least(), Duration::ZERO);
        (0..SAMPLES).for_each(|_| lag.measured(millis(100), SECOND));
        assert_eq!((lag.least(), lag.unproved()), (millis(100), true));
        lag.refused();
        (0..ANSWERS_SETTLED * 2).for_each(|_| lag.measured(millis(100), SECOND));
        assert_eq!((lag.least(), lag.unproved()), (Duration::ZERO, false));
    }
}
