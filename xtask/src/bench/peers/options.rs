//! The arguments of `cargo xtask bench --peers`.

use std::str::FromStr;

use super::program::Work;
use crate::shell::Outcome;

/// What they may be.
pub(crate) const OPTIONS: &str = "\
  --jobs N      a backlog of N jobs is drained; the slower engines are given fewer (100000)
  --creates N   N jobs are created one by one (20000)
  --samples N   N jobs are picked up by an idle worker (200)
  --slots N     handlers that run at the same time (8)
  --rounds N    turns that everybody has (5)
  --only NAME   no other than this one is set beside FlowFabric";

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) jobs: u64,
    pub(super) creates: u64,
    pub(super) samples: u64,
    pub(super) slots: usize,
    pub(super) rounds: usize,
    only: Option<String>,
}

impl Options {
    pub(super) fn read(args: &[&str]) -> Outcome<Self> {
        let mut options =
            Self { jobs: 100_000, creates: 20_000, samples: 200, slots: 8, rounds: 5, only: None };
        for pair in args.chunks(2) {
            let &[name, value] = pair else { return Err(usage()) };
            match name {
                "--jobs" => options.jobs = number(value)?,
                "--creates" => options.creates = number(value)?,
                "--samples" => options.samples = number(value)?,
                "--slots" => options.slots = number(value)?,
                "--rounds" => options.rounds = number(value)?,
                "--only" => options.only = Some(value.to_owned()),
                _ => return Err(usage()),
            }
        }
        Ok(options)
    }

    pub(super) fn is_wanted(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == name)
    }

    /// How many jobs a program is given that is given no more than `most`.
    pub(super) fn amount(&self, work: Work, most: u64) -> u64 {
        match work {
            Work::Create => self.creates.min(most),
            Work::Drain => self.jobs.min(most),
            Work::Pickup => self.samples,
        }
    }
}

/// A number above zero.
fn number<N: FromStr + PartialEq + Default>(text: &str) -> Outcome<N> {
    let number = text.parse().ok().filter(|number| *number != N::default());
    number.ok_or_else(|| format!("{text:?} is no number above zero").into())
}

fn usage() -> Box<dyn std::error::Error> {
    format!("usage: cargo xtask bench --peers [options]\n{OPTIONS}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_others_are_refused() {
        let options = Options::read(&["--jobs", "20", "--slots", "3", "--only", "awa"]).unwrap();
        assert_eq!((options.jobs, options.slots, options.rounds), (20, 3, 5));
        assert!(options.is_wanted("awa") && !options.is_wanted("apalis-sqlite"));
        assert!(Options::read(&[]).unwrap().is_wanted("awa"));
        for args in [&["--jobs"][..], &["--jobs", "0"], &["--jobs", "x"], &["--faster", "1"]] {
            Options::read(args).unwrap_err();
        }
    }

    #[test]
    fn a_slow_program_is_given_less() {
        let options = Options::read(&["--jobs", "500", "--creates", "90"]).unwrap();
        let amounts = Work::ALL.map(|work| options.amount(work, 100));
        assert_eq!(amounts, [90, 100, 200]);
    }
}
