//! The arguments.

use crate::Outcome;

const USAGE: &str = "usage: create|drain|pickup --store URL --jobs N --slots S";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Jobs created one by one, by several at once.
    Create,
    /// A backlog worked off.
    Drain,
    /// How long a job waits for an idle worker.
    Pickup,
}

impl Work {
    /// Its name in arguments and in the line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Drain => "drain",
            Self::Pickup => "pickup",
        }
    }
}

/// What a program is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What is measured.
    pub work: Work,
    /// A `postgres://` URL of an empty database, or the path of a new SQLite file.
    pub store: String,
    /// How many jobs, or samples.
    pub jobs: u64,
    /// How many handlers run at the same time.
    pub slots: usize,
}

impl Run {
    /// Reads the arguments, without the program's name.
    ///
    /// # Errors
    /// When they are others than the usage says.
    pub fn from_args(mut args: impl Iterator<Item = String>) -> Outcome<Self> {
        let work = match args.next().as_deref() {
            Some("create") => Work::Create,
            Some("drain") => Work::Drain,
            Some("pickup") => Work::Pickup,
            _ => return Err(USAGE.into()),
        };
        let (mut store, mut jobs, mut slots) = (None, 1_000, 8);
        while let Some(name) = args.next() {
            let value = args.next().ok_or(USAGE)?;
            match name.as_str() {
                "--store" => store = Some(value),
                "--jobs" => jobs = value.parse()?,
                "--slots" => slots = value.parse()?,
                _ => return Err(USAGE.into()),
            }
        }
        Ok(Self { work, store: store.ok_or(USAGE)?, jobs, slots })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &str) -> Outcome<Run> {
        Run::from_args(args.split(' ').map(str::to_owned))
    }

    #[test]
    fn arguments_are_read() {
        let run = read("drain --store /tmp/a.db --jobs 20 --slots 3").unwrap();
        let store = "/tmp/a.db".to_owned();
        assert_eq!(run, Run { work: Work::Drain, store, jobs: 20, slots: 3 });
    }

    #[test]
    fn others_are_refused() {
        for args in ["", "drain", "dance --store a", "drain --store", "drain --store a --jobs x"] {
            read(args).unwrap_err();
        }
    }
}
