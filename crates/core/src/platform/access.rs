//! Who acts and what they may: roles, permissions and scope.
//!
//! One table ([`Role::may`]) says what a role may do; every action and query of the crate takes an [`Actor`] first
//! and asks it. Scope is the workspace, and within it all product lines or some.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Error, Result};

/// What a person is in a workspace or, for all but the first, in one product line of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs the installation: people, keys, settings. Sees no undisclosed case for it.
    Administrator,
    /// Leads the PSIRT: approves decisions.
    Manager,
    /// Works on findings and cases.
    Analyst,
    /// The security contact of a product line.
    Contact,
    /// Development staff of a product line.
    Developer,
    /// Legal department.
    Legal,
    /// Communications department.
    Communications,
    /// Reads everything, changes nothing.
    Auditor,
}

/// All roles, in the order in which pages list them.
pub const ROLES: [Role; 8] = [
    Role::Administrator,
    Role::Manager,
    Role::Analyst,
    Role::Contact,
    Role::Developer,
    Role::Legal,
    Role::Communications,
    Role::Auditor,
];

/// What can be allowed. Each route declares one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// See products, releases, components, licences, deployments.
    InventoryRead,
    /// Make and change products and releases, deployments, licence rules.
    InventoryWrite,
    /// Upload an SBOM for a release that is there (or, with `InventoryWrite`, makes it).
    SbomUpload,
    /// See findings and decisions.
    FindingRead,
    /// Decide findings, set owner and due date.
    FindingDecide,
    /// Approve what another person proposed.
    DecisionApprove,
    /// See vulnerabilities and what sources say of them.
    IntelRead,
    /// See jobs.
    JobRead,
    /// Cancel jobs, run them again, change schedules.
    JobManage,
    /// Read and verify the audit trail.
    AuditRead,
    /// Invite, change and disable people; end their sessions.
    PeopleManage,
    /// Make and revoke API keys.
    KeyManage,
    /// Change the workspace's settings.
    SettingsWrite,
    /// See stories, the items behind them, and what analysts say of them.
    DeskRead,
    /// Enter items; judge, merge, split and assess stories.
    DeskWrite,
    /// See reports.
    ReportRead,
    /// Draft, edit and submit reports.
    ReportWrite,
    /// Approve reports and send them.
    ReportApprove,
}

/// All permissions.
pub const PERMISSIONS: [Permission; 18] = [
    Permission::InventoryRead,
    Permission::InventoryWrite,
    Permission::SbomUpload,
    Permission::FindingRead,
    Permission::FindingDecide,
    Permission::DecisionApprove,
    Permission::IntelRead,
    Permission::JobRead,
    Permission::JobManage,
    Permission::AuditRead,
    Permission::PeopleManage,
    Permission::KeyManage,
    Permission::SettingsWrite,
    Permission::DeskRead,
    Permission::DeskWrite,
    Permission::ReportRead,
    Permission::ReportWrite,
    Permission::ReportApprove,
];

/// Name in kebab case, as stored and shown; both types are written this way only here.
fn kebab<T: Serialize>(value: T) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

impl Role {
    /// The stored name: `manager`.
    pub fn name(self) -> String {
        kebab(self)
    }

    /// The role of a stored name.
    pub fn parse(name: &str) -> Option<Role> {
        ROLES.into_iter().find(|r| r.name() == name)
    }

    /// The table of rights.
    pub fn may(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Role::Administrator => matches!(
                permission,
                P::InventoryRead
                    | P::InventoryWrite
                    | P::SbomUpload
                    | P::FindingRead
                    | P::IntelRead
                    | P::JobRead
                    | P::JobManage
                    | P::AuditRead
                    | P::PeopleManage
                    | P::KeyManage
                    | P::SettingsWrite
            ),
            Role::Manager => !matches!(permission, P::PeopleManage),
            Role::Analyst => matches!(
                permission,
                P::InventoryRead
                    | P::InventoryWrite
                    | P::SbomUpload
                    | P::FindingRead
                    | P::FindingDecide
                    | P::DecisionApprove
                    | P::IntelRead
                    | P::JobRead
                    | P::DeskRead
                    | P::DeskWrite
                    | P::ReportRead
                    | P::ReportWrite
                    | P::ReportApprove
            ),
            Role::Contact => matches!(
                permission,
                P::InventoryRead
                    | P::InventoryWrite
                    | P::SbomUpload
                    | P::FindingRead
                    | P::FindingDecide
                    | P::IntelRead
                    | P::JobRead
            ),
            Role::Developer => matches!(
                permission,
                P::InventoryRead | P::SbomUpload | P::FindingRead | P::IntelRead | P::JobRead
            ),
            Role::Legal | Role::Communications => {
                matches!(permission, P::InventoryRead | P::FindingRead | P::IntelRead | P::ReportRead)
            }
            Role::Auditor => matches!(
                permission,
                P::InventoryRead
                    | P::FindingRead
                    | P::IntelRead
                    | P::JobRead
                    | P::AuditRead
                    | P::DeskRead
                    | P::ReportRead
            ),
        }
    }
}

impl Permission {
    /// The stored name: `finding-decide`.
    pub fn name(self) -> String {
        kebab(self)
    }

    /// The permission of a stored name.
    pub fn parse(name: &str) -> Option<Permission> {
        PERMISSIONS.into_iter().find(|p| p.name() == name)
    }
}

/// A role in a workspace, or in one product line of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// The product line; all of them where missing.
    pub line: Option<i64>,
}

/// The product lines an actor may do something in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lines {
    /// Every one.
    All,
    /// These.
    Some(Vec<i64>),
}

/// Who acts: the first argument of every action and query. It names a workspace, so that none can forget it.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Workspace in which they act.
    pub workspace: i64,
    /// `person:anna`, `key:ci-gateway`, `system`; stands in the audit trail.
    pub name: String,
    /// The person, where it is one.
    pub person: Option<i64>,
    /// Roles held.
    pub grants: Vec<Grant>,
    /// What a key is limited to; everything its role may where missing.
    pub scopes: Option<Vec<Permission>>,
    /// Address of the caller, for the audit trail.
    pub address: String,
    /// When, RFC 3339 in UTC with milliseconds. Handed in, since nothing here reads the clock.
    pub now: String,
}

impl Actor {
    /// The program itself, in a workspace: jobs and start-up.
    pub fn system(workspace: i64, now: &str) -> Actor {
        Actor {
            workspace,
            name: "system".to_owned(),
            person: None,
            grants: vec![
                Grant { role: Role::Manager, line: None },
                Grant { role: Role::Administrator, line: None },
            ],
            scopes: None,
            address: String::new(),
            now: now.to_owned(),
        }
    }

    /// Whether a permission is held anywhere in the workspace.
    pub fn may(&self, permission: Permission) -> bool {
        self.lines(permission) != Lines::Some(Vec::new())
    }

    /// Where a permission is held.
    pub fn lines(&self, permission: Permission) -> Lines {
        if self.scopes.as_ref().is_some_and(|s| !s.contains(&permission)) {
            return Lines::Some(Vec::new());
        }
        let mut lines = Vec::new();
        for grant in self.grants.iter().filter(|g| g.role.may(permission)) {
            match grant.line {
                None => return Lines::All,
                Some(line) if !lines.contains(&line) => lines.push(line),
                Some(_) => {}
            }
        }
        lines.sort_unstable();
        Lines::Some(lines)
    }

    /// Refuses who holds the permission nowhere.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn need(&self, permission: Permission) -> Result<()> {
        if self.may(permission) { Ok(()) } else { Err(denied(permission)) }
    }

    /// Refuses who does not hold the permission in a product line.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn need_in(&self, permission: Permission, line: i64) -> Result<()> {
        match self.lines(permission) {
            Lines::All => Ok(()),
            Lines::Some(lines) if lines.contains(&line) => Ok(()),
            Lines::Some(_) => Err(denied(permission)),
        }
    }

    /// Refuses who does not hold the permission in the whole workspace.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn need_everywhere(&self, permission: Permission) -> Result<()> {
        if self.lines(permission) == Lines::All { Ok(()) } else { Err(denied(permission)) }
    }
}

fn denied(permission: Permission) -> Error {
    Error::Denied(permission.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(grants: &[(Role, Option<i64>)]) -> Actor {
        Actor {
            grants: grants.iter().map(|(role, line)| Grant { role: *role, line: *line }).collect(),
            ..Actor::system(1, "")
        }
    }

    #[test]
    fn scope_is_the_union_of_grants_and_keys_are_narrower() {
        let mut a = actor(&[(Role::Contact, Some(3)), (Role::Contact, Some(2)), (Role::Auditor, None)]);
        assert_eq!(a.lines(Permission::FindingRead), Lines::All);
        assert_eq!(a.lines(Permission::FindingDecide), Lines::Some(vec![2, 3]));
        assert!(a.need_in(Permission::FindingDecide, 3).is_ok());
        assert!(a.need_in(Permission::FindingDecide, 4).is_err());
        assert!(a.need_everywhere(Permission::FindingDecide).is_err());
        assert!(a.need(Permission::PeopleManage).is_err());
        a.scopes = Some(vec![Permission::FindingRead]);
        assert!(a.need(Permission::FindingDecide).is_err());
        assert!(a.need(Permission::FindingRead).is_ok());
    }

    #[test]
    fn names_are_read_back() {
        for role in ROLES {
            assert_eq!(Role::parse(&role.name()), Some(role));
        }
        for p in PERMISSIONS {
            assert_eq!(Permission::parse(&p.name()), Some(p));
        }
    }
}
