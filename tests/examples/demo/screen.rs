//! The demo's output. Colours and motion on a terminal only, and no colours where `NO_COLOR` asks for none.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what a demo is for")]

use crate::timeline::{self, Mood};
use boxoffice_e2e::{Booking, Failure, Outcome, Seats, Show, mailbox::Mail};
use std::{
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME: Duration = Duration::from_millis(90);

/// The terminal, or what stands in for one.
pub(crate) struct Screen {
    colours: bool,
    motion: bool,
}

#[derive(Clone, Copy)]
enum Ink {
    Bold,
    Dim,
    Green,
    Yellow,
    Red,
}

impl Screen {
    pub(crate) fn of_this_terminal() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colours = std::io::stdout().is_terminal() && !set("NO_COLOR") && !dumb;
        Self { colours, motion: std::io::stderr().is_terminal() && !dumb }
    }

    fn ink(&self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Bold => 1,
            Ink::Dim => 2,
            Ink::Green => 32,
            Ink::Yellow => 33,
            Ink::Red => 31,
        };
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn title(&self, show: &Show, api_url: &str) {
        let on_sale = &show.inventory;
        println!("\n{}", self.ink(Ink::Bold, show.name()));
        let terms =
            format!("{}, {} seats at {} {}", on_sale.location, on_sale.total_seats, on_sale.price, on_sale.currency);
        println!("{terms}");
        println!("{}", self.ink(Ink::Dim, api_url));
    }

    pub(crate) fn chapter(&self, title: &str) {
        println!("\n{}", self.ink(Ink::Bold, title));
    }

    /// The booking's timeline, and where the show's seats are after it.
    pub(crate) async fn story(&self, booking: &Booking, seats: Seats) -> Outcome<()> {
        for line in timeline::of(booking).await? {
            // Padded before it is coloured: the terminal's codes have no width, and `{:<38}` would count them.
            let words = format!("{:<38}", line.words);
            let (mark, words) = match line.mood {
                Mood::Neutral => ("·", words),
                Mood::Good => ("✓", self.ink(Ink::Green, &words)),
                Mood::Bad => ("✗", self.ink(Ink::Yellow, &words)),
            };
            println!("  {:>6.2} s  {mark} {words} {}", line.seconds, self.ink(Ink::Dim, &line.event));
        }
        self.equation(seats);
        Ok(())
    }

    fn equation(&self, seats: Seats) {
        println!("            {}", self.ink(Ink::Bold, &timeline::equation(seats)));
    }

    /// A mail as its reader gets it.
    pub(crate) fn mail(&self, mail: &Mail) {
        println!("            ✉ {} {}", self.ink(Ink::Bold, &mail.subject), self.ink(Ink::Dim, &mail.to.join(", ")));
        for line in mail.body_text.lines().flat_map(folded) {
            println!("              {}", self.ink(Ink::Dim, &line));
        }
    }

    /// The refusal that a buyer got instead of a ticket.
    pub(crate) fn refusal(&self, buyer: &str, words: &str) {
        println!("\n            {}", self.ink(Ink::Red, &format!("{buyer} is told: {words}")));
    }

    pub(crate) fn end(&self, took: Duration) {
        let words = format!("All is as it should be, after {:.1} s.", took.as_secs_f64());
        println!("\n{}", self.ink(Ink::Green, &words));
    }

    /// The address at which a person can buy what is on sale now.
    pub(crate) fn shop(&self, next: &Show, api_url: &str) {
        println!("\nBuy a ticket to {} in the shop, with a test card:", next.name());
        println!("{}", self.ink(Ink::Bold, &format!("{api_url}/shop")));
    }

    pub(crate) fn failed(&self, failure: &Failure) {
        eprintln!("\n{} {failure}", self.ink(Ink::Red, "The demo failed:"));
    }

    /// Shows that something goes on until it has ended.
    pub(crate) async fn while_working<T>(&self, what: &str, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        if !self.motion {
            return work.await;
        }
        let (began, mut work) = (Instant::now(), std::pin::pin!(work));
        let mut ticks = tokio::time::interval(FRAME);
        let mut frames = FRAMES.iter().cycle();
        loop {
            tokio::select! {
                outcome = &mut work => {
                    draw("");
                    return outcome;
                }
                _ = ticks.tick() => {
                    let frame = frames.next().unwrap_or(&"");
                    draw(&format!("  {:>6.1} s  {frame} {what}", began.elapsed().as_secs_f64()));
                }
            }
        }
    }
}

/// A paragraph in lines that fit beside the margin of an 80-column terminal; an empty one is an empty line.
fn folded(paragraph: &str) -> Vec<String> {
    const WIDTH: usize = 64;
    let mut lines = vec![String::new()];
    for word in paragraph.split_whitespace() {
        if let Some(line) = lines.last_mut().filter(|line| line.chars().count() + word.chars().count() < WIDTH) {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Draws over what was drawn before. A terminal that has gone is no reason to stop.
fn draw(line: &str) {
    let mut terminal = std::io::stderr();
    let _ = write!(terminal, "\r\x1b[2K{line}");
    let _ = terminal.flush();
}
