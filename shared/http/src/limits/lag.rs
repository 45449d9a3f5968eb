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
//!    prove is the least, less half of what lies between the two, since the least was not the least there is.
//! 2. *proving*: one hit fewer than permitted is used, each as early as the lag says. The upstream's own count in each
//!    answer says whether the hit that should have left its window has left it. If not, nobody is refused: there was
//!    a hit to spare. [`PROOFS`] agreeing answers in a row are a proof.
//! 3. *proved*: all hits are used, with the lag.
//! 4. *disproved*, by one answer, in any phase: the lag is zero from then on.
//!
//! Where a round trip is less than [`WORTH_PROVING`] of the period there is nothing to gain, and nothing is proved.

use std::time::Duration;

/// Round trips that are measured first.
const SAMPLES: usize = 32;

/// Answers that must agree. An upstream that contradicts the lag in one of five requests passes once in a thousand
/// times; one that counts at a random moment of the round trip contradicts it in one of four.
const PROOFS: u32 = 32;

/// The share of a period below which the lag is not worth its proof.
const WORTH_PROVING: f64 = 0.005;

/// How late a request may go, after the lag lets it, to still prove something.
const PUNCTUAL: Duration = Duration::from_millis(2);

#[derive(Clone, Debug)]
pub(super) struct Lag {
    phase: Phase,
}

#[derive(Clone, Debug)]
enum Phase {
    Measuring(Vec<Duration>),
    Proving { lag: Duration, proofs: u32 },
    Proved { lag: Duration },
    Zero,
}

impl Lag {
    pub(super) fn unknown() -> Lag {
        Lag { phase: Phase::Measuring(Vec::new()) }
    }

    /// For whoever spares a hit in any case, and needs no lag.
    pub(super) fn zero() -> Lag {
        Lag { phase: Phase::Zero }
    }

    /// What may be taken off one period.
    pub(super) fn least(&self) -> Duration {
        match self.phase {
            Phase::Proving { lag, .. } | Phase::Proved { lag } => lag,
            Phase::Measuring(_) | Phase::Zero => Duration::ZERO,
        }
    }

    /// Whether a hit must be spared, because an answer may still disprove the lag.
    pub(super) fn unproved(&self) -> bool {
        matches!(self.phase, Phase::Proving { .. })
    }

    /// A request has been answered after `round_trip`; `period` is that of the strictest window.
    pub(super) fn measured(&mut self, round_trip: Duration, period: Duration) {
        if let Phase::Proving { lag, .. } | Phase::Proved { lag } = &mut self.phase
            && round_trip < *lag
        {
            // Faster than the least: as far below it now as that was above it. Less is safe without a proof.
            *lag = round_trip.saturating_sub(*lag - round_trip);
        }
        let Phase::Measuring(samples) = &mut self.phase else { return };
        samples.push(round_trip);
        if samples.len() < SAMPLES {
            return;
        }
        samples.sort_unstable();
        let (least, usual) = (samples[0], samples[SAMPLES / 2]);
        let lag = least.saturating_sub(usual.saturating_sub(least) / 2);
        let worth = lag > period.mul_f64(WORTH_PROVING);
        self.phase = if worth { Phase::Proving { lag, proofs: 0 } } else { Phase::Zero };
    }

    /// A request that went `early` of the whole distance to another found that other one gone.
    pub(super) fn agreed(&mut self, early: Duration) {
        let Phase::Proving { lag, proofs } = self.phase else { return };
        if early + PUNCTUAL >= lag {
            let proofs = proofs + 1;
            self.phase = if proofs < PROOFS { Phase::Proving { lag, proofs } } else { Phase::Proved { lag } };
        }
    }

    /// The upstream has counted what should have been gone.
    pub(super) fn disproved(&mut self) {
        if !self.least().is_zero() {
            let lag_ms = self.least().as_millis();
            tracing::info!(lag_ms, "the upstream counts requests later than they take: keeping the whole distance");
            self.phase = Phase::Zero;
        }
    }
}
