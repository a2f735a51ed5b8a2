//! What each role may: the table itself.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use tocsin_core::platform::access::{PERMISSIONS, Permission, ROLES, Role};

use super::super::{Answer, Page, filters, show};
use super::Tabs;
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser};

/// Who may use what here.
pub const ACCESS: &[Route] = &[("GET", "/settings/roles", Access::Needs(Permission::FindingRead))];

pub fn routes() -> Router<App> {
    Router::new().route("/settings/roles", get(all))
}

#[derive(Template)]
#[template(path = "settings/roles.html")]
struct Roles {
    page: Page,
    tabs: Tabs,
    roles: Vec<(String, &'static str, bool)>,
    rows: Vec<(String, &'static str, Vec<bool>)>,
}

/// What a role is, in one line.
fn about(role: Role) -> &'static str {
    match role {
        Role::Administrator => "Runs the installation: people, keys, settings. Decides no findings.",
        Role::Manager => "Leads the PSIRT: everything but managing people.",
        Role::Analyst => "Works on findings and approves what others propose.",
        Role::Contact => "The security contact of a product line.",
        Role::Developer => "Development staff: uploads and reads.",
        Role::Legal | Role::Communications => "Reads products, findings and reports.",
        Role::Auditor => "Reads everything, the audit trail too; changes nothing.",
    }
}

/// What a permission allows, in one line.
pub(super) fn allows(permission: Permission) -> &'static str {
    match permission {
        Permission::InventoryRead => "see products, releases, components, licences and units",
        Permission::InventoryWrite => "make and change products, releases and units",
        Permission::SbomUpload => "upload an SBOM",
        Permission::FindingRead => "see findings and decisions",
        Permission::FindingDecide => "decide findings, set owner and due date",
        Permission::DecisionApprove => "approve what another person proposed",
        Permission::IntelRead => "see vulnerabilities and what sources say",
        Permission::JobRead => "see jobs",
        Permission::JobManage => "cancel jobs, run them again, change schedules",
        Permission::AuditRead => "read and verify the audit trail",
        Permission::PeopleManage => "invite and change people, end their sessions",
        Permission::KeyManage => "make and revoke API keys",
        Permission::SettingsWrite => "change the workspace's settings",
        Permission::DeskRead => "see stories, their items and what analysts say of them",
        Permission::DeskWrite => "enter items; judge, merge, split and assess stories",
        Permission::ReportRead => "see reports",
        Permission::ReportWrite => "draft, edit and submit reports",
        Permission::ReportApprove => "approve reports and send them",
    }
}

async fn all(State(_): State<App>, browser: Browser) -> Answer {
    let held = |role: Role| browser.actor().grants.iter().any(|g| g.role == role);
    let row = |p: Permission| (p.name(), allows(p), ROLES.iter().map(|r| r.may(p)).collect());
    show(&Roles {
        page: Page::new(&browser, "/settings/people", "Roles"),
        tabs: Tabs::new(&browser, "/settings/roles"),
        roles: ROLES.iter().map(|r| (r.name(), about(*r), held(*r))).collect(),
        rows: PERMISSIONS.into_iter().map(row).collect(),
    })
}
