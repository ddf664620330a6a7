//! Waits awake for a short while before a thread goes to sleep.
//!
//! The driver runs each statement on a thread of its own. To sleep until that answers, and to be woken, takes
//! longer than most statements.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;

/// Longer than most statements, and shorter than most commits.
const AWAKE: Duration = Duration::from_micros(200);

/// Notes a wake-up for a thread that is awake, and passes it on for one that sleeps.
#[derive(Default)]
struct Bell {
    has_rung: AtomicBool,
    sleeper: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::SeqCst);
        self.sleeper.wake();
    }
}

/// The future, whose thread stays awake for a while each time that it has to wait. Other threads that could run
/// go ahead meanwhile.
pub(super) async fn spinning<F: Future>(future: F) -> F::Output {
    spinning_for(AWAKE, future).await
}

async fn spinning_for<F: Future>(awake: Duration, future: F) -> F::Output {
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    // Tokio lets a future that it polls receive so many messages and then wait for its next turn, which does not
    // come while the thread is kept awake here.
    let mut future = pin!(tokio::task::unconstrained(future));
    poll_fn(|sleeper| {
        loop {
            // Read too: what was done before the ring that this takes back is then seen.
            bell.has_rung.swap(false, Ordering::SeqCst);
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Poll::Ready(output);
            }
            if !rings_within(&bell, awake) {
                bell.sleeper.register(sleeper.waker());
                // It may have rung just before it knew whom to wake.
                if !bell.has_rung.load(Ordering::SeqCst) {
                    return Poll::Pending;
                }
            }
        }
    })
    .await
}

fn rings_within(bell: &Bell, awake: Duration) -> bool {
    let start = Instant::now();
    while !bell.has_rung.load(Ordering::SeqCst) {
        if start.elapsed() >= awake {
            return false;
        }
        thread::yield_now();
    }
    true
}

#[cfg(test)]
mod tests {
    use futures::channel::oneshot;

    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    /// A future that is woken by another thread, many times.
    async fn ping_pong(rounds: u32) -> u32 {
        let mut sum = 0;
        for round in 0..rounds {
            let (answer, asked) = oneshot::channel();
            let other = thread::spawn(move || answer.send(round));
            sum += asked.await.unwrap();
            other.join().unwrap().unwrap();
        }
        sum
    }

    #[test]
    fn no_wake_up_is_lost_whether_the_thread_is_awake_or_sleeps() {
        for awake in [Duration::ZERO, AWAKE, Duration::MAX] {
            assert_eq!(block_on(spinning_for(awake, ping_pong(100))), 4_950, "{awake:?}");
        }
    }

    #[test]
    fn any_number_of_messages_is_received_in_one_turn() {
        let (sender, mut messages) = tokio::sync::mpsc::unbounded_channel();
        (0..1_000).for_each(|number| sender.send(number).unwrap());
        let receive = async {
            let mut sum = 0;
            for _ in 0..1_000 {
                sum += messages.recv().await.unwrap();
            }
            sum
        };
        assert_eq!(block_on(spinning_for(Duration::MAX, receive)), 499_500);
    }

    #[test]
    fn what_is_ready_is_not_waited_for() {
        assert_eq!(block_on(spinning_for(Duration::MAX, async { 1 })), 1);
    }

    #[test]
    fn who_sleeps_is_woken_through_whatever_polls_last() {
        let (answer, mut asked) = oneshot::channel();
        let mut future = pin!(spinning_for(Duration::ZERO, &mut asked));
        let noop = Waker::noop();
        assert!(future.as_mut().poll(&mut Context::from_waker(noop)).is_pending());
        answer.send(7).unwrap();
        assert_eq!(block_on(future), Ok(7));
    }
}
