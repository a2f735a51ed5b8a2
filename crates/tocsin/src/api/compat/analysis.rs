//! `/api/v1/analysis`: deciding one finding. Their states are CycloneDX's; ours are those of VEX, so a justification
//! that VEX has no word for is kept as the first line of the decision's detail.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tocsin_core::detection::{self, Decision, Filter, Finding, Reach};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;

use super::fault::Fault;
use super::{Asked, Caller, FINDINGS, given, json, millis, release, uuid};
use crate::server::App;
use crate::server::guard::{Access, Route};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v1/analysis", Access::Needs(Permission::FindingRead)),
    ("PUT", "/api/v1/analysis", Access::Needs(Permission::FindingDecide)),
];

pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/analysis", get(one).put(decide))
}

/// Their state and our status.
const STATES: [(&str, &str); 5] = [
    ("EXPLOITABLE", "affected"),
    ("IN_TRIAGE", "under_investigation"),
    ("FALSE_POSITIVE", "false_positive"),
    ("NOT_AFFECTED", "not_affected"),
    ("RESOLVED", "fixed"),
];

/// Their justification and ours. Of several that are one of ours, the first is what ours alone means.
const JUSTIFICATIONS: [(&str, &str); 9] = [
    ("CODE_NOT_PRESENT", "vulnerable_code_not_present"),
    ("CODE_NOT_REACHABLE", "vulnerable_code_not_in_execute_path"),
    ("REQUIRES_ENVIRONMENT", "vulnerable_code_cannot_be_controlled_by_adversary"),
    ("REQUIRES_CONFIGURATION", "vulnerable_code_cannot_be_controlled_by_adversary"),
    ("REQUIRES_DEPENDENCY", "vulnerable_code_cannot_be_controlled_by_adversary"),
    ("PROTECTED_BY_MITIGATING_CONTROL", "inline_mitigations_already_exist"),
    ("PROTECTED_BY_COMPILER", "inline_mitigations_already_exist"),
    ("PROTECTED_AT_RUNTIME", "inline_mitigations_already_exist"),
    ("PROTECTED_AT_PERIMETER", "inline_mitigations_already_exist"),
];

const RESPONSES: [&str; 5] = ["CAN_NOT_FIX", "WILL_NOT_FIX", "UPDATE", "ROLLBACK", "WORKAROUND_AVAILABLE"];

/// Before the exact justification in a decision's detail.
const EXACT: &str = "CycloneDX justification: ";

/// Whether a status takes a finding out of the counts.
pub(super) fn is_suppressed(status: &str) -> bool {
    matches!(status, "not_affected" | "fixed" | "false_positive")
}

/// Their state for a decision's status.
pub(super) fn state(status: &str) -> &'static str {
    STATES.iter().find(|(_, ours)| *ours == status).map_or("NOT_SET", |(theirs, _)| theirs)
}

/// Their justification of a decision, and the detail without the line that keeps it.
pub(super) fn split(d: &Decision) -> (&str, &str) {
    if let Some(rest) = d.detail.strip_prefix(EXACT) {
        return rest.split_once('\n').unwrap_or((rest, ""));
    }
    let known = JUSTIFICATIONS.iter().find(|(_, ours)| *ours == d.justification);
    (known.map_or("NOT_SET", |(theirs, _)| theirs), &d.detail)
}

/// A decision in their words: state, justification, response and detail. Nothing where the state is `NOT_SET`.
pub(super) fn decision(
    state: &str,
    justification: &str,
    response: &str,
    detail: &str,
) -> Result<Option<Decision>, Fault> {
    let none = |text: &str| text.is_empty() || text == "NOT_SET";
    let unknown =
        |path: &str, value: &str| Fault::field(path, "it is none of the words of this field", value);
    if none(state) {
        return Ok(None);
    }
    let status = STATES.iter().find(|(theirs, _)| *theirs == state);
    let (_, status) = status.ok_or_else(|| unknown("analysisState", state))?;
    let ours = if none(justification) {
        ""
    } else {
        let found = JUSTIFICATIONS.iter().find(|(theirs, _)| *theirs == justification);
        found.ok_or_else(|| unknown("analysisJustification", justification))?.1
    };
    if !none(response) && !RESPONSES.contains(&response) {
        return Err(unknown("analysisResponse", response));
    }
    let plain = JUSTIFICATIONS.iter().find(|(_, o)| *o == ours).map_or("", |(theirs, _)| theirs);
    let mut detail = match ours {
        "" => detail.to_owned(),
        _ if plain == justification => detail.to_owned(),
        _ => format!("{EXACT}{justification}\n{detail}"),
    };
    if *status == "not_affected" && ours.is_empty() && detail.trim().is_empty() {
        // They ask for no reason; we do, and this one is true.
        "no justification was given".clone_into(&mut detail);
    }
    Ok(Some(Decision {
        status: (*status).to_owned(),
        justification: ours.to_owned(),
        response: if none(response) { String::new() } else { response.to_ascii_lowercase() },
        detail,
        reach: Reach::Finding,
        expires: None,
    }))
}

/// The finding of a component, which says its project, and a vulnerability.
async fn find(
    app: &App,
    actor: &Actor,
    project: Option<&str>,
    component: &str,
    vulnerability: &str,
) -> Result<Finding, Fault> {
    for (path, text) in [("component", component), ("vulnerability", vulnerability)] {
        if !uuid::is_valid(text) {
            return Err(Fault::field(path, "Invalid UUID", text));
        }
    }
    let r = match project {
        Some(text) => Some(release(app, actor, text).await?.id),
        None => None,
    };
    let missing = || Fault::missing("component");
    let (own, component) = uuid::component(component).ok_or_else(missing)?;
    if r.is_some_and(|r| r != own) {
        return Err(missing());
    }
    let filter = Filter { release: Some(own), inferred: true, ..Filter::default() };
    let all = detection::findings(app.db(), actor, &filter, None, FINDINGS).await?.findings;
    let mut of_component = all.into_iter().filter(|f| f.component == component).peekable();
    if of_component.peek().is_none() {
        return Err(missing());
    }
    let wanted = vulnerability.to_ascii_lowercase();
    let found = of_component.find(|f| uuid::of_vulnerability(&f.vulnerability) == wanted);
    found.ok_or_else(|| Fault::missing("vulnerability"))
}

/// What stands of a finding; nothing where nobody said anything.
async fn told(app: &App, actor: &Actor, f: &Finding) -> Result<Option<Value>, Fault> {
    let grounds = detection::grounds(app.db(), actor, f.release).await?;
    let d = grounds.get(&f.id).and_then(|g| g.decision.as_ref());
    let history = detection::history(app.db(), actor, f.id).await?;
    let comments: Vec<Value> = history
        .iter()
        .rev()
        .filter(|s| matches!(s.what.as_str(), "decided" | "lapsed" | "withdrawn" | "remarked"))
        .map(|s| {
            let comment = match s.what.as_str() {
                "remarked" => s.detail.clone(),
                what => format!("{what}: {}", s.detail),
            };
            let (_, name) = s.actor.split_once(':').unwrap_or(("", &s.actor));
            json!({"timestamp": millis(&s.at), "comment": comment, "commenter": name})
        })
        .collect();
    if d.is_none() && comments.is_empty() {
        return Ok(None);
    }
    let (justification, detail) = d.map_or(("NOT_SET", ""), split);
    let response = d.map(|d| d.response.to_ascii_uppercase()).filter(|r| !r.is_empty());
    Ok(Some(json!({
        "analysisState": d.map_or("NOT_SET", |d| state(&d.status)),
        "analysisJustification": justification,
        "analysisResponse": response.as_deref().unwrap_or("NOT_SET"),
        "analysisDetails": detail,
        "analysisComments": comments,
        "isSuppressed": d.is_some_and(|d| is_suppressed(&d.status)),
    })))
}

async fn one(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Fault> {
    actor.need(Permission::FindingRead)?;
    let component = given(asked.get("component")).ok_or_else(|| Fault::needed("component"))?;
    let vulnerability = given(asked.get("vulnerability")).ok_or_else(|| Fault::needed("vulnerability"))?;
    let f = find(&app, &actor, given(asked.get("project")), component, vulnerability).await?;
    let none = || Fault::Text(StatusCode::NOT_FOUND, "No analysis exists.".to_owned());
    Ok(Json(told(&app, &actor, &f).await?.ok_or_else(none)?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    project: Option<String>,
    component: Option<String>,
    vulnerability: Option<String>,
    analysis_state: Option<String>,
    analysis_justification: Option<String>,
    analysis_response: Option<String>,
    analysis_details: Option<String>,
    comment: Option<String>,
    is_suppressed: Option<bool>,
}

async fn decide(State(app): State<App>, Caller(actor): Caller, body: Bytes) -> Result<Json<Value>, Fault> {
    actor.need(Permission::FindingDecide)?;
    let sent: Sent = json(&body)?;
    let component = given(sent.component.as_ref()).ok_or_else(|| Fault::needed("component"))?;
    let vulnerability = given(sent.vulnerability.as_ref()).ok_or_else(|| Fault::needed("vulnerability"))?;
    let f = find(&app, &actor, given(sent.project.as_ref()), component, vulnerability).await?;
    let word = |field: &Option<String>| field.clone().unwrap_or_default();
    let wanted = decision(
        &word(&sent.analysis_state),
        &word(&sent.analysis_justification),
        &word(&sent.analysis_response),
        &word(&sent.analysis_details),
    )?;
    if sent.is_suppressed == Some(true) && !wanted.as_ref().is_some_and(|d| is_suppressed(&d.status)) {
        let message =
            "Tocsin suppresses a finding by a state that says why: NOT_AFFECTED, FALSE_POSITIVE or RESOLVED";
        return Err(Fault::field("isSuppressed", message, "true"));
    }
    let mut change = Change::begin(app.db(), &actor).await?;
    match &wanted {
        Some(d) => {
            detection::decide(&mut change, f.id, d).await?;
        }
        None => detection::withdraw(&mut change, f.id).await?,
    }
    if let Some(comment) = given(sent.comment.as_ref()) {
        detection::remark(&mut change, f.id, comment).await?;
    }
    change.commit().await?;
    let none = json!({"analysisState": "NOT_SET", "analysisJustification": "NOT_SET", "analysisResponse": "NOT_SET",
        "analysisComments": [], "isSuppressed": false});
    Ok(Json(told(&app, &actor, &f).await?.unwrap_or(none)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_as_they_were_given() {
        for (state_word, _) in STATES {
            for (justification, _) in JUSTIFICATIONS {
                let d = decision(state_word, justification, "WILL_NOT_FIX", "because").unwrap().unwrap();
                assert_eq!(state(&d.status), state_word);
                assert_eq!(split(&d), (justification, "because"));
                assert_eq!(d.response, "will_not_fix");
            }
        }
        assert!(decision("NOT_SET", "", "", "").unwrap().is_none());
        for (s, j, r) in [("NO", "", ""), ("RESOLVED", "NO", ""), ("RESOLVED", "", "NO")] {
            assert!(decision(s, j, r, "").is_err(), "{s} {j} {r}");
        }
    }
}
