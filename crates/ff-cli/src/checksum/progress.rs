//! A progress bar, or plain lines where there is no terminal.

use std::fmt;
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

const BAR: &str = "{bar:30} {human_pos}/{human_len} files  {rate}  {eta} left";

/// Shows how far the command is, on standard error.
pub(super) struct Progress {
    /// Counts and times; draws only on a terminal.
    bar: ProgressBar,
    last_line: Option<Instant>,
}

impl Progress {
    /// `quiet` shows nothing.
    pub(super) fn new(files: usize, quiet: bool) -> Self {
        let is_terminal = stderr().is_terminal() && !quiet;
        let target =
            if is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(files as u64), target);
        if let Ok(style) = ProgressStyle::with_template(BAR) {
            bar.set_style(style.with_key("rate", write_rate));
        }
        Self { bar, last_line: (!is_terminal && !quiet).then(Instant::now) }
    }

    pub(super) fn show(&mut self, finished: usize) {
        self.bar.set_position(finished as u64);
        if self.last_line.is_some_and(|last| last.elapsed() >= LINE_EVERY) {
            self.last_line = Some(Instant::now());
            self.print_line();
        }
    }

    pub(super) fn end(self) {
        self.bar.finish_and_clear();
        if self.last_line.is_some() {
            self.print_line();
        }
    }

    fn print_line(&self) {
        let (finished, files) = (self.bar.position(), self.bar.length().unwrap_or(0));
        let elapsed = self.bar.elapsed().as_secs_f64();
        let rate = if elapsed > 0.0 { finished as f64 / elapsed } else { 0.0 };
        let left = files.saturating_sub(finished) as f64;
        let seconds = if rate > 0.0 { format!("{:.0} s", left / rate) } else { "?".to_owned() };
        let _ = writeln!(stderr(), "{finished}/{files} files  {rate:.0}/s  {seconds} left");
    }
}

fn write_rate(state: &ProgressState, out: &mut dyn fmt::Write) {
    // A bar that cannot be drawn is not worth an error.
    let _ = write!(out, "{}/s", HumanCount(state.per_sec() as u64));
}
