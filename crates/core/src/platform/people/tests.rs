//! People from their invitation to the end of their sessions, on both databases.

use sea_orm::DatabaseConnection;

use super::super::access::{Actor, Grant, Permission, Role};
use super::super::clock::minutes_after as after;
use super::super::settings::{self, Settings};
use super::super::testing::{each, random};
use super::super::vault::Vault;
use super::super::{change, sql};
use super::*;

const NOW: &str = "2026-01-05T08:00:00.000Z";
const PASSWORD: &str = "correct horse battery";

/// What tests hand in.
struct House {
    vault: Vault,
    from: From,
    _dir: tempfile::TempDir,
}

impl House {
    fn new() -> House {
        let dir = tempfile::tempdir().unwrap();
        let from = From { address: "192.0.2.7".to_owned(), agent: "a browser".to_owned() };
        House { vault: Vault::new(dir.path()), from, _dir: dir }
    }

    fn door<'a>(&'a self, db: &'a DatabaseConnection, now: &'a str) -> Door<'a> {
        Door { db, vault: &self.vault, random, from: &self.from, now }
    }
}

async fn joined(db: &DatabaseConnection, system: &Actor, login: &str, role: Role) -> i64 {
    let token = invite(db, system, random, "", &[role], None, &after(NOW, 60)).await.unwrap();
    let who = Acceptance {
        login: login.to_owned(),
        name: format!("Person {login}"),
        email: format!("{login}@example.org"),
        password: PASSWORD.to_owned(),
    };
    accept(db, random, &token, &who, &From::default(), NOW).await.unwrap();
    people(db, system).await.unwrap().into_iter().find(|p| p.login == login).unwrap().id
}

async fn in_at(house: &House, db: &DatabaseConnection, login: &str, now: &str) -> Session {
    match sign_in(&house.door(db, now), login, PASSWORD, None).await.unwrap() {
        Begun::In(session) => session,
        Begun::Code(_) => panic!("a code is asked for"),
    }
}

async fn alive(db: &DatabaseConnection, token: &str, now: &str) -> Option<Known> {
    match session(db, token, &From::default(), now).await.unwrap() {
        Seen::Alive(known) => Some(*known),
        _ => None,
    }
}

async fn main_workspace(db: &DatabaseConnection) -> Actor {
    Actor::system(first_workspace(db, "Main", NOW).await.unwrap(), NOW)
}

async fn second_workspace(db: &DatabaseConnection) -> Actor {
    let insert = "INSERT INTO workspace (slug, name, settings, created) VALUES ('second', 'Second', '{}', $1) \
                  RETURNING id";
    let id: Option<(i64,)> = sql::row(db, "", insert, vec![NOW.into()]).await.unwrap();
    Actor::system(id.unwrap().0, NOW)
}

#[test]
fn an_invitation_is_used_once_and_can_be_taken_back() {
    each(async |db| {
        let system = main_workspace(db).await;
        let until = after(NOW, 60);
        let who = |login: &str, password: &str| Acceptance {
            login: login.to_owned(),
            name: "Anna".to_owned(),
            email: String::new(),
            password: password.to_owned(),
        };
        let token =
            invite(db, &system, random, "anna@example.org", &[Role::Analyst], None, &until).await.unwrap();
        let from = From::default();
        for (login, password, field) in [
            ("an na", PASSWORD, "login"),
            ("anna", "short", "password"),
            ("anna", "anna anna anna anna", "password"),
        ] {
            let refused = accept(db, random, &token, &who(login, password), &from, NOW).await.unwrap_err();
            assert!(matches!(&refused, Error::Rejected { field: f, .. } if f == field), "{refused}");
        }
        let late = accept(db, random, &token, &who("anna", PASSWORD), &from, &until).await;
        assert!(matches!(late, Err(Error::NotFound(_))), "it has expired");
        accept(db, random, &token, &who("Anna", PASSWORD), &from, NOW).await.unwrap();
        let again = accept(db, random, &token, &who("otto", PASSWORD), &from, NOW).await;
        assert!(matches!(again, Err(Error::NotFound(_))), "it works once");

        let token =
            invite(db, &system, random, "otto@example.org", &[Role::Auditor], None, &until).await.unwrap();
        let open = invitations(db, &system).await.unwrap();
        assert_eq!(
            (open.len(), open[0].email.as_str(), &open[0].roles[..]),
            (1, "otto@example.org", &["auditor".to_owned()][..])
        );
        revoke_invitation(db, &system, &open[0].id).await.unwrap();
        assert!(invitations(db, &system).await.unwrap().is_empty());
        let revoked = accept(db, random, &token, &who("otto", PASSWORD), &from, NOW).await;
        assert!(matches!(revoked, Err(Error::NotFound(_))), "it was taken back");
        assert!(change::verify(db).await.unwrap().broken_at.is_none());
    });
}

#[test]
fn sessions_end_by_idleness_by_age_and_by_hand() {
    each(async |db| {
        let (house, system) = (House::new(), main_workspace(db).await);
        let anna = joined(db, &system, "anna", Role::Manager).await;
        let wrong = sign_in(&house.door(db, NOW), "anna", "wrong horse battery", None).await;
        assert!(matches!(wrong, Err(Error::Denied(_))));
        assert!(matches!(
            sign_in(&house.door(db, NOW), "nobody", PASSWORD, None).await,
            Err(Error::Denied(_))
        ));

        let one = in_at(&house, db, " ANNA ", NOW).await;
        let known = alive(db, &one.token, &after(NOW, 719)).await.unwrap();
        assert_eq!((known.name.as_str(), known.actor.person), ("Person anna", Some(anna)));
        assert!(alive(db, &one.token, &after(NOW, 719 + 719)).await.is_some(), "use keeps it alive");
        assert!(alive(db, &one.token, &after(NOW, 719 + 719 + 720)).await.is_none(), "idle for twelve hours");
        let over = session(db, &one.token, &house.from, &after(NOW, 719 + 719 + 720)).await.unwrap();
        assert!(matches!(over, Seen::Over { person, csrf } if person == anna && csrf == one.csrf));

        let strict = Settings { idle_minutes: 30, session_hours: 1, ..Settings::default() };
        settings::set(db, &system, &strict).await.unwrap();
        let two = in_at(&house, db, "anna", NOW).await;
        for minutes in [29, 58] {
            assert!(alive(db, &two.token, &after(NOW, minutes)).await.is_some());
        }
        assert!(alive(db, &two.token, &after(NOW, 60)).await.is_none(), "an hour is the most");

        let three = in_at(&house, db, "anna", NOW).await;
        let four = in_at(&house, db, "anna", NOW).await;
        let me = alive(db, &four.token, NOW).await.unwrap().actor;
        let mine = sessions(db, &me, Some(anna), &four.token).await.unwrap();
        assert!(mine.iter().filter(|s| s.own).count() == 1 && mine.len() >= 2);
        let other = mine.iter().find(|s| !s.own && !s.address.is_empty()).unwrap();
        assert_eq!((other.address.as_str(), other.method.as_str()), ("192.0.2.7", "password"));
        end_sessions(db, &me, anna, &four.token).await.unwrap();
        assert!(alive(db, &three.token, NOW).await.is_none() && alive(db, &four.token, NOW).await.is_some());
        let id = sessions(db, &me, Some(anna), &four.token).await.unwrap()[0].id.clone();
        end_session(db, &me, &id).await.unwrap();
        assert!(alive(db, &four.token, NOW).await.is_none());
        assert!(matches!(end_session(db, &me, &id).await, Err(Error::NotFound(_))));

        assert!(sweep(db, &after(NOW, 60 * 24 * 30)).await.unwrap() >= 3);
        let gone = session(db, &one.token, &house.from, NOW).await.unwrap();
        assert!(matches!(gone, Seen::Nobody));
    });
}

#[test]
fn others_sessions_are_those_of_the_workspace_and_need_the_right() {
    each(async |db| {
        let (house, system) = (House::new(), main_workspace(db).await);
        let other = second_workspace(db).await;
        let anna = joined(db, &system, "anna", Role::Manager).await;
        let otto = joined(db, &other, "otto", Role::Manager).await;
        let session_of_otto = in_at(&house, db, "otto", NOW).await;
        let session_of_anna = in_at(&house, db, "anna", NOW).await;
        let manager = alive(db, &session_of_anna.token, NOW).await.unwrap().actor;
        assert!(matches!(sessions(db, &manager, None, "").await, Err(Error::Denied(_))));
        assert!(matches!(sessions(db, &manager, Some(otto), "").await, Err(Error::Denied(_))));

        let all = sessions(db, &system, None, "").await.unwrap();
        assert_eq!(all.iter().map(|s| s.person).collect::<Vec<_>>(), [anna], "of this workspace alone");
        let theirs = sessions(db, &other, None, "").await.unwrap();
        assert!(matches!(end_session(db, &system, &theirs[0].id).await, Err(Error::NotFound(_))));
        assert_eq!(end_sessions(db, &system, otto, "").await.unwrap(), 0);
        assert!(alive(db, &session_of_otto.token, NOW).await.is_some());
    });
}

#[test]
fn a_new_password_ends_the_other_sessions() {
    each(async |db| {
        let (house, system) = (House::new(), main_workspace(db).await);
        let anna = joined(db, &system, "anna", Role::Manager).await;
        let (one, two) = (in_at(&house, db, "anna", NOW).await, in_at(&house, db, "anna", NOW).await);
        let me = alive(db, &one.token, NOW).await.unwrap().actor;
        let door = house.door(db, NOW);
        let new = "a quiet harbour at night";
        for (current, wanted, field) in [
            ("not it at all, no", new, "current"),
            (PASSWORD, "qwertyuiop123456", "password"),
            (PASSWORD, PASSWORD, "password"),
        ] {
            let refused = change_password(&door, &me, current, wanted, &one.token).await.unwrap_err();
            assert!(matches!(&refused, Error::Rejected { field: f, .. } if f == field), "{refused}");
        }
        change_password(&door, &me, PASSWORD, new, &one.token).await.unwrap();
        assert!(alive(db, &one.token, NOW).await.is_some() && alive(db, &two.token, NOW).await.is_none());
        assert!(sign_in(&door, "anna", PASSWORD, None).await.is_err());
        assert!(matches!(sign_in(&door, "anna", new, None).await, Ok(Begun::In(_))));

        let link = reset_link(&door, &system, anna).await.unwrap();
        assert_eq!(resettable(&door, &link).await.unwrap(), "anna");
        reset(&door, &link, "another quiet harbour").await.unwrap();
        assert!(alive(db, &one.token, NOW).await.is_none());
        assert!(matches!(reset(&door, &link, "yet another harbour").await, Err(Error::NotFound(_))));
    });
}

#[test]
fn who_is_disabled_is_out_and_an_administrator_stays() {
    each(async |db| {
        let (house, system) = (House::new(), main_workspace(db).await);
        let root = joined(db, &system, "root", Role::Administrator).await;
        let anna = joined(db, &system, "anna", Role::Analyst).await;
        let session = in_at(&house, db, "anna", NOW).await;
        let admin = Actor { person: Some(root), ..system.clone() };
        disable(db, &admin, anna).await.unwrap();
        assert!(alive(db, &session.token, NOW).await.is_none());
        assert!(sign_in(&house.door(db, NOW), "anna", PASSWORD, None).await.is_err());
        enable(db, &admin, anna).await.unwrap();
        assert!(sign_in(&house.door(db, NOW), "anna", PASSWORD, None).await.is_ok());
        assert!(matches!(disable(db, &admin, root).await, Err(Error::Conflict(_))), "not oneself");
        assert!(
            matches!(disable(db, &system, root).await, Err(Error::Conflict(_))),
            "not the last administrator"
        );
        assert!(matches!(set_roles(db, &admin, root, &[(Role::Manager, 0)]).await, Err(Error::Conflict(_))));
        set_roles(db, &admin, anna, &[(Role::Administrator, 0), (Role::Analyst, 0)]).await.unwrap();
        set_roles(db, &admin, root, &[(Role::Manager, 0)]).await.unwrap();
        assert!(matches!(set_roles(db, &admin, anna, &[(Role::Analyst, 99)]).await, Err(Error::NotFound(_))));
        assert!(matches!(
            set_roles(db, &admin, anna, &[(Role::Administrator, 1)]).await,
            Err(Error::Rejected { .. })
        ));
    });
}

#[test]
fn an_account_in_two_workspaces_is_touched_by_who_manages_both() {
    each(async |db| {
        let (house, system) = (House::new(), main_workspace(db).await);
        let other = second_workspace(db).await;
        let root = joined(db, &system, "root", Role::Administrator).await;
        let anna = joined(db, &system, "anna", Role::Analyst).await;
        let token = invite(db, &other, random, "", &[Role::Auditor], None, &after(NOW, 60)).await.unwrap();
        let me = Actor { person: Some(anna), ..system.clone() };
        assert_eq!(accept_as(db, &me, &token).await.unwrap(), other.workspace);
        let admin = Actor { person: Some(root), ..system.clone() };
        let door = house.door(db, NOW);
        assert!(matches!(disable(db, &admin, anna).await, Err(Error::Denied(_))));
        assert!(matches!(reset_link(&door, &admin, anna).await, Err(Error::Denied(_))));
        assert!(matches!(reset_second_step(db, &admin, anna).await, Err(Error::Denied(_))));
        let token =
            invite(db, &other, random, "", &[Role::Administrator], None, &after(NOW, 60)).await.unwrap();
        accept_as(db, &admin, &token).await.unwrap();
        assert!(reset_link(&door, &admin, anna).await.is_ok());
    });
}

#[test]
fn a_second_step_takes_each_code_once_and_recovery_codes_once() {
    each(async |db| {
        let (house, system) = (House::new(), main_workspace(db).await);
        let anna = joined(db, &system, "anna", Role::Manager).await;
        let session = in_at(&house, db, "anna", NOW).await;
        let me = alive(db, &session.token, NOW).await.unwrap().actor;
        let door = house.door(db, NOW);
        let begun = enrolment(&door, &me, None).await.unwrap();
        let again = enrolment(&door, &me, Some(&begun.token)).await.unwrap();
        assert_eq!(begun.secret, again.secret, "reloading the page does not change the secret");
        assert!(begun.address.starts_with("otpauth://totp/Tocsin:anna?secret="));
        let wrong = confirm_second_step(&door, &me, &begun.token, "000000", &session.token).await;
        assert!(matches!(wrong, Err(Error::Rejected { .. })));
        let code = |now: &str| second::tests_code(&begun.secret, now);
        let recovery =
            confirm_second_step(&door, &me, &begun.token, &code(NOW), &session.token).await.unwrap();
        assert_eq!(recovery.len(), 10);
        assert!(profile(db, &me).await.unwrap().second_step);
        assert!(alive(db, &session.token, NOW).await.is_some(), "the session that set it up goes on");
        let stored: Option<(Vec<u8>,)> =
            sql::row(db, "", "SELECT totp FROM person WHERE id = $1", vec![anna.into()]).await.unwrap();
        let plain = begun.secret.replace(' ', "");
        assert!(!String::from_utf8_lossy(&stored.unwrap().0).contains(&plain), "it is sealed");

        let begin =
            async |now: &str| match sign_in(&house.door(db, now), "anna", PASSWORD, None).await.unwrap() {
                Begun::Code(ticket) => ticket,
                Begun::In(_) => panic!("no code was asked for"),
            };
        let ticket = begin(NOW).await;
        let used = confirm_code(&door, &ticket, &code(NOW)).await;
        assert!(matches!(used, Err(Error::Denied(_))), "the code that set it up is used");
        let failed = change::events(db, &system, "sign-in-failed", None, 9).await.unwrap();
        let told: Vec<_> =
            failed.iter().map(|e| (e.actor.as_str(), e.name.as_str(), e.after.as_str())).collect();
        assert_eq!(told, [("visitor", "anna", "\"code\"")]);
        let later = after(NOW, 1);
        let in_ = confirm_code(&house.door(db, &later), &ticket, &code(&later)).await.unwrap();
        assert!(alive(db, &in_.token, &later).await.is_some());
        let replay = begin(&later).await;
        assert!(confirm_code(&house.door(db, &later), &replay, &code(&later)).await.is_err(), "a replay");
        let recovered = confirm_code(&house.door(db, &later), &replay, &recovery[0].to_uppercase()).await;
        assert!(recovered.is_ok());
        let ticket = begin(&later).await;
        assert!(confirm_code(&house.door(db, &later), &ticket, &recovery[0]).await.is_err(), "used");
        let late = after(NOW, 30);
        let over = confirm_code(&house.door(db, &late), &ticket, &code(&late)).await;
        assert!(matches!(over, Err(Error::NotFound(_))), "the code comes too late");
        assert_eq!(profile(db, &me).await.unwrap().recovery_codes, 9);

        let fresh = new_recovery_codes(&door, &me, PASSWORD).await.unwrap();
        let ticket = begin(&late).await;
        assert!(confirm_code(&house.door(db, &late), &ticket, &recovery[1]).await.is_err(), "replaced");
        assert!(confirm_code(&house.door(db, &late), &ticket, &fresh[1]).await.is_ok());

        let much_later = after(NOW, 600);
        let mut barred = false;
        for _ in 0..12 {
            match sign_in(&house.door(db, &much_later), "anna", PASSWORD, None).await {
                Ok(Begun::Code(ticket)) => {
                    assert!(confirm_code(&house.door(db, &much_later), &ticket, "000000").await.is_err());
                }
                Ok(Begun::In(_)) => panic!("no code was asked for"),
                Err(e) => barred = e.to_string().contains("codes"),
            }
        }
        assert!(barred, "guessing codes comes to an end");
        assert!(matches!(remove_second_step(&door, &me, "not it").await, Err(Error::Rejected { .. })));
        remove_second_step(&door, &me, PASSWORD).await.unwrap();
        assert!(matches!(
            sign_in(&house.door(db, &much_later), "anna", PASSWORD, None).await,
            Ok(Begun::In(_))
        ));
    });
}

#[test]
fn a_workspace_asks_roles_for_a_second_step() {
    each(async |db| {
        let (house, system) = (House::new(), main_workspace(db).await);
        joined(db, &system, "anna", Role::Manager).await;
        joined(db, &system, "otto", Role::Auditor).await;
        let set = Settings { second_step: vec![Role::Manager], ..Settings::default() };
        let manager = Actor { grants: vec![Grant { role: Role::Manager, line: None }], ..system.clone() };
        assert!(matches!(settings::set(db, &manager, &set).await, Err(Error::Denied(_))));
        settings::set(db, &system, &set).await.unwrap();
        let too_short = Settings { idle_minutes: 1, ..Settings::default() };
        assert!(matches!(settings::set(db, &system, &too_short).await, Err(Error::Rejected { .. })));
        for (login, lacks) in [("anna", true), ("otto", false)] {
            let session = in_at(&house, db, login, NOW).await;
            assert_eq!(alive(db, &session.token, NOW).await.unwrap().lacks_second_step, lacks, "{login}");
        }
    });
}

#[test]
fn a_form_is_kept_for_its_person_alone() {
    each(async |db| {
        let (house, system) = (House::new(), main_workspace(db).await);
        let anna = joined(db, &system, "anna", Role::Manager).await;
        let otto = joined(db, &system, "otto", Role::Manager).await;
        let door = house.door(db, NOW);
        let form = Kept {
            action: "/findings/1/decision".to_owned(),
            page: "/findings/1".to_owned(),
            fields: vec![("detail".to_owned(), "an hour of thought".to_owned())],
            ..Kept::default()
        };
        let token = keep(&door, anna, &form).await.unwrap();
        assert!(!kept_is_new(&door, otto, &token).await.unwrap());
        assert_eq!(kept(&door, otto, &token).await.unwrap(), None);
        assert!(kept_is_new(&door, anna, &token).await.unwrap());
        assert_eq!(kept(&door, anna, &token).await.unwrap(), Some(form.clone()));
        assert!(!kept_is_new(&door, anna, &token).await.unwrap(), "shown");
        assert_eq!(kept(&door, anna, &token).await.unwrap(), Some(form.clone()), "and still there");
        let stored: Vec<(Vec<u8>,)> = sql::rows(db, "", "SELECT data FROM ticket", vec![]).await.unwrap();
        assert!(!stored.iter().any(|d| String::from_utf8_lossy(&d.0).contains("thought")), "it is sealed");
        for _ in 0..9 {
            keep(&door, anna, &form).await.unwrap();
        }
        let count: Option<(i64,)> = sql::row(db, "", "SELECT COUNT(*) FROM ticket", vec![]).await.unwrap();
        assert_eq!(count.unwrap().0, 5);
        let late = after(NOW, 24 * 60);
        assert_eq!(kept(&house.door(db, &late), anna, &token).await.unwrap(), None);
    });
}

#[test]
fn forms_of_other_tabs_stay_good_after_signing_in_again() {
    each(async |db| {
        let (house, system) = (House::new(), main_workspace(db).await);
        joined(db, &system, "anna", Role::Manager).await;
        joined(db, &system, "otto", Role::Manager).await;
        let before = in_at(&house, db, "anna", NOW).await;
        let door = house.door(db, NOW);
        let again = sign_in(&door, "anna", PASSWORD, Some(&before.token)).await.unwrap();
        assert!(matches!(again, Begun::In(s) if s.csrf == before.csrf && s.token != before.token));
        let other = sign_in(&door, "otto", PASSWORD, Some(&before.token)).await.unwrap();
        assert!(matches!(other, Begun::In(s) if s.csrf != before.csrf), "nobody else takes them over");
    });
}

#[test]
fn keys_have_less_than_who_makes_them() {
    each(async |db| {
        let system = main_workspace(db).await;
        let new = |role: Role, scopes: &[Permission], expires: Option<String>| NewKey {
            name: "build".to_owned(),
            role,
            line: None,
            scopes: scopes.to_vec(),
            expires,
        };
        let from = From::default();
        let until = after(NOW, 60);
        let only = new(Role::Contact, &[Permission::SbomUpload], Some(until.clone()));
        let text = make_key(db, &system, random, &only).await.unwrap();
        let known = key(db, &text, &from, NOW).await.unwrap().unwrap();
        assert!(known.actor.may(Permission::SbomUpload) && !known.actor.may(Permission::FindingRead));
        assert!(key(db, &text, &from, &until).await.unwrap().is_none(), "it has ended");
        let listed = keys(db, &system).await.unwrap().remove(0);
        assert_eq!(
            (listed.scopes.as_slice(), listed.used.as_deref()),
            (&["sbom-upload".to_owned()][..], Some(NOW))
        );
        assert_eq!((listed.state(NOW), listed.state(&until)), ("active", "expired"));
        revoke_key(db, &system, listed.id).await.unwrap();
        assert!(key(db, &text, &from, NOW).await.unwrap().is_none(), "it is revoked");

        let beyond = new(Role::Auditor, &[Permission::FindingDecide], None);
        assert!(matches!(make_key(db, &system, random, &beyond).await, Err(Error::Rejected { .. })));
        let over = new(Role::Auditor, &[], Some(NOW.to_owned()));
        assert!(matches!(make_key(db, &system, random, &over).await, Err(Error::Rejected { .. })));
        let manager = Actor { grants: vec![Grant { role: Role::Manager, line: None }], ..system.clone() };
        let admin_key = new(Role::Administrator, &[], None);
        assert!(matches!(make_key(db, &manager, random, &admin_key).await, Err(Error::Denied(_))));
        assert!(key(db, "tocsin_x_y", &from, NOW).await.unwrap().is_none());
        assert!(key(db, "\0", &from, NOW).await.unwrap().is_none());
    });
}
