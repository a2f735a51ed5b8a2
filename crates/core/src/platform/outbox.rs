//! What people are to be told of, written with the change that it comes from: so a crash between the two loses nothing
//! and doubles nothing. [`crate::notify`] makes messages of it, a few seconds later, many events in one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::change::Change;
use super::sql;
use crate::error::Result;

/// What can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// Findings that are new, or open again.
    FindingNew,
    /// The severity of findings was raised.
    FindingRaised,
    /// The flaw of findings became known to be exploited.
    FindingExploited,
    /// An exploit for the flaw of findings became public.
    FindingExploit,
    /// Findings are due within days, or were.
    FindingDue,
    /// A decision waits for a second person.
    DecisionWaits,
    /// Decisions hold no longer.
    DecisionLapsed,
    /// A decision ends within days.
    DecisionExpires,
    /// A job was given up.
    JobDead,
    /// A source of intelligence does not work.
    FeedBroken,
    /// A source of intelligence works again.
    FeedRecovered,
    /// A story concerns us.
    StoryRelevant,
    /// Something under embargo came in.
    ReportEmbargo,
}

/// All topics, in the order in which pages list them, with what a reader calls them.
pub const TOPICS: [(Topic, &str); 13] = [
    (Topic::FindingNew, "new findings"),
    (Topic::FindingExploited, "findings that became known to be exploited"),
    (Topic::FindingExploit, "findings for which an exploit became public"),
    (Topic::FindingRaised, "findings whose severity was raised"),
    (Topic::FindingDue, "findings that are due or overdue"),
    (Topic::DecisionWaits, "decisions that wait for approval"),
    (Topic::DecisionLapsed, "decisions that hold no longer"),
    (Topic::DecisionExpires, "decisions that end soon"),
    (Topic::StoryRelevant, "stories that concern us"),
    (Topic::ReportEmbargo, "reports under embargo"),
    (Topic::FeedBroken, "sources that do not work"),
    (Topic::FeedRecovered, "sources that work again"),
    (Topic::JobDead, "jobs that were given up"),
];

/// The topics that rules and filters offer.
pub fn offered() -> impl Iterator<Item = (Topic, &'static str)> {
    TOPICS.into_iter()
}

impl Topic {
    /// The stored name: `finding-new`.
    pub fn name(self) -> &'static str {
        match self {
            Topic::FindingNew => "finding-new",
            Topic::FindingRaised => "finding-raised",
            Topic::FindingExploited => "finding-exploited",
            Topic::FindingExploit => "finding-exploit",
            Topic::FindingDue => "finding-due",
            Topic::DecisionWaits => "decision-waits",
            Topic::DecisionLapsed => "decision-lapsed",
            Topic::DecisionExpires => "decision-expires",
            Topic::JobDead => "job-dead",
            Topic::FeedBroken => "feed-broken",
            Topic::FeedRecovered => "feed-recovered",
            Topic::StoryRelevant => "story-relevant",
            Topic::ReportEmbargo => "report-embargo",
        }
    }

    /// The topic of a stored name.
    pub fn parse(name: &str) -> Option<Topic> {
        TOPICS.into_iter().map(|t| t.0).find(|t| t.name() == name)
    }

    /// What a reader calls it.
    pub fn words(self) -> &'static str {
        TOPICS.iter().find(|t| t.0 == self).map_or("", |t| t.1)
    }

    /// Its events name findings.
    pub fn is_of_findings(self) -> bool {
        matches!(
            self,
            Topic::FindingNew
                | Topic::FindingRaised
                | Topic::FindingExploited
                | Topic::FindingExploit
                | Topic::FindingDue
                | Topic::DecisionLapsed
        )
    }

    /// No detail of it leaves the system.
    pub fn is_embargoed(self) -> bool {
        self == Topic::ReportEmbargo
    }
}

/// Puts an event into the outbox: what it is about (`release/17`, `findings`), the product line whose people it concerns
/// (0: it concerns the whole workspace, or its findings tell), a title and a detail, empty where its findings tell. Its
/// id.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn tell(
    change: &Change<'_>,
    topic: Topic,
    subject: String,
    line: i64,
    words: (&str, &str),
) -> Result<i64> {
    tell_in(change, change.actor.workspace, topic, subject, line, words).await
}

async fn tell_in(
    change: &Change<'_>,
    workspace: i64,
    topic: Topic,
    subject: String,
    line: i64,
    (title, detail): (&str, &str),
) -> Result<i64> {
    let insert = "INSERT INTO outbox (workspace, topic, subject, line, title, detail, actor, embargo, at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id";
    let actor = change.actor;
    let values = vec![
        workspace.into(),
        topic.name().into(),
        sql::text(&subject),
        line.into(),
        sql::text(title),
        sql::text(detail),
        sql::text(&actor.name),
        i64::from(topic.is_embargoed()).into(),
        actor.now.clone().into(),
    ];
    let row: Option<(i64,)> = sql::row(&change.tx, "telling of a change", insert, values).await?;
    change.ring();
    Ok(row.map_or(0, |r| r.0))
}

/// The findings that an event is about.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn about(change: &Change<'_>, event: i64, findings: &[i64]) -> Result<()> {
    for chunk in findings.chunks(20_000) {
        let insert = format!(
            "INSERT INTO outbox_finding (event, finding) SELECT $2, f.id FROM finding f WHERE f.id IN {} \
             ON CONFLICT (event, finding) DO NOTHING",
            sql::numbers(&change.tx, 1)
        );
        let values = vec![sql::list(chunk), event.into()];
        sql::run(&change.tx, "telling of findings", &insert, values).await?;
    }
    conceal(change, event).await
}

/// No detail of an event leaves the system where some of its findings are of an early warning that is marked for few
/// (`TLP:RED`, `TLP:AMBER+STRICT`) and has no CVE yet.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn conceal(change: &Change<'_>, event: i64) -> Result<()> {
    let update = "UPDATE outbox SET embargo = 1 WHERE id = $1 AND EXISTS (SELECT 1 FROM warning w JOIN finding f \
                  ON f.workspace = w.workspace AND f.vulnerability = w.name JOIN outbox_finding x ON x.finding = f.id \
                  WHERE w.workspace = $2 AND w.state = 'open' AND w.tlp IN ('RED', 'AMBER+STRICT') AND x.event = $1)";
    let values = vec![event.into(), change.actor.workspace.into()];
    sql::run(&change.tx, "telling of findings", update, values).await?;
    Ok(())
}

/// Says in a change that a source of intelligence does not work (`Some`: why, and what to do) or works again. `source`
/// is its name, as people know it. The workspace is the actor's; what is the installation's is told in its first one.
///
/// # Errors
/// The database does not answer.
pub async fn feed(change: &Change<'_>, source: &str, broken: Option<&str>) -> Result<()> {
    let topic = if broken.is_some() { Topic::FeedBroken } else { Topic::FeedRecovered };
    let workspace = match change.actor.workspace {
        0 => {
            let first = "SELECT id FROM workspace ORDER BY id LIMIT 1";
            let row: Option<(i64,)> =
                sql::row(&change.tx, "finding the first workspace", first, vec![]).await?;
            // an installation without people has nobody to tell
            let Some((id,)) = row else { return Ok(()) };
            id
        }
        own => own,
    };
    let words = (source, broken.unwrap_or_default());
    tell_in(change, workspace, topic, format!("feed/{source}"), 0, words).await?;
    Ok(())
}

/// Says in a change that a story or report (`story/17`) concerns the actor's workspace or a product line of it. Of what
/// is under embargo ([`Topic::ReportEmbargo`]) title and detail are not kept.
///
/// # Errors
/// The database does not answer.
pub async fn matter(
    change: &Change<'_>,
    topic: Topic,
    subject: String,
    line: i64,
    words: (&str, &str),
) -> Result<()> {
    let words = if topic.is_embargoed() { ("Something under embargo", "") } else { words };
    tell(change, topic, subject, line, words).await?;
    Ok(())
}
