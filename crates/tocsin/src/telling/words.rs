//! A message in words: the same for every way out, put into each one's form there.

use tocsin_core::notify::{Group, Message};
use tocsin_core::platform::outbox::Topic;

/// Products and matters named one by one; the rest is counted, and behind the link.
const MOST: usize = 25;

/// A message in words.
pub(super) struct Words {
    /// In a line.
    pub(super) title: String,
    /// A line for each product or matter: its name, what of it, and the path of its page.
    pub(super) lines: Vec<(String, String, String)>,
    /// Address of the message's page.
    pub(super) link: String,
    /// What is wanted of the reader; empty where nothing is.
    pub(super) wanted: String,
}

fn counted(n: i64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// What is told of a product.
pub(crate) fn group(g: &Group) -> String {
    let mut parts = vec![format!("{} in {}", counted(g.findings, "finding"), counted(g.releases, "release"))];
    for (n, word) in [(g.exploited, "known to be exploited"), (g.critical, "critical"), (g.high, "high")] {
        if n > 0 {
            parts.push(format!("{n} {word}"));
        }
    }
    if !g.flaws.is_empty() {
        parts.push(g.flaws.join(", "));
    }
    parts.join("; ")
}

/// The page of what a matter is about; empty where there is none.
pub(crate) fn path(subject: &str) -> String {
    match subject.split_once('/') {
        Some(("job", id)) => format!("/jobs/{id}"),
        Some(("decision", id)) => format!("/decisions/{id}"),
        Some(("story", id)) => format!("/stories/{id}"),
        Some(("release", id)) => format!("/releases/{id}"),
        _ => String::new(),
    }
}

impl Words {
    pub(super) fn of(message: &Message, step: i64, site: &str) -> Words {
        let prefix = match step {
            0 => "",
            1 => "Reminder: ",
            _ => "Escalation: ",
        };
        let topic = |name: &str| Topic::parse(name).map_or("", Topic::words);
        let groups = message.body.groups.iter().map(|g| {
            (g.name.clone(), format!("{}: {}", topic(&g.topic), group(g)), format!("/products/{}", g.product))
        });
        let items = message.body.items.iter().map(|i| {
            let detail = i.detail.lines().next().unwrap_or_default().chars().take(200).collect::<String>();
            let detail = if detail.is_empty() { topic(&i.topic).to_owned() } else { detail };
            (i.title.clone(), detail, path(&i.subject))
        });
        let mut lines: Vec<(String, String, String)> = groups.chain(items).collect();
        if lines.len() > MOST {
            let rest = lines.len() - MOST;
            lines.truncate(MOST);
            lines.push((format!("{rest} more"), "on the page of the message".to_owned(), String::new()));
        }
        let wanted = match (&message.urge, &message.acknowledged) {
            (Some(urge), None) => format!(
                "Please acknowledge it on its page; else the next step is taken at {} UTC.",
                urge.get(..16).unwrap_or(urge).replace('T', " ")
            ),
            _ => String::new(),
        };
        Words {
            title: format!("{prefix}{}", message.title),
            lines,
            // a test is in nobody's inbox: what came of it stands in the log
            link: match message.topic.as_str() {
                "test" => format!("{site}/notifications/log"),
                _ => format!("{site}/notifications/{}", message.id),
            },
            wanted,
        }
    }

    /// As plain text.
    pub(super) fn plain(&self) -> String {
        let mut out = format!("{}\n\n", self.title);
        for (name, what, _) in &self.lines {
            out.push_str(&format!("- {name}: {what}\n"));
        }
        if !self.lines.is_empty() {
            out.push('\n');
        }
        if !self.wanted.is_empty() {
            out.push_str(&format!("{}\n\n", self.wanted));
        }
        out.push_str(&self.link);
        out.push('\n');
        out
    }
}
