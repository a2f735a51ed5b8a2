//! Sending a report: one mail for each recipient, with the PDF, through the mail channel that was chosen.

use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use tocsin_core::notify;
use tocsin_core::platform::access::Actor;
use tocsin_core::report::{self, Receiver, Sending, Whole};

use super::{Means, Unsent, mail};
use crate::error::Error;
use crate::report::mail as words;
use crate::report::pdf;
use crate::server::{App, now};

/// What is the same in the mails of a report.
struct Letter {
    subject: String,
    html: String,
    plain: String,
    file: String,
    pdf: Vec<u8>,
    thread: String,
}

/// Sends a report to whoever it has not reached yet; each gets a receipt. `progress` hears how many of how many are
/// reached. The number of them.
///
/// # Errors
/// The PDF cannot be made; somebody was not reached: [`Error::Io`] where it may work later.
pub async fn send(
    app: &App,
    actor: &Actor,
    sending: &Sending,
    progress: impl Fn(usize, usize),
) -> Result<usize, Error> {
    let out = report::outgoing(app.db(), actor, sending).await?;
    let secrets = notify::secret_of(app.vault(), actor.workspace, &out.channel)?;
    let whole = out.whole.clone();
    let made = tokio::task::spawn_blocking(move || letter(&whole)).await;
    let made = made.map_err(|e| Error::io("making the PDF of a report", std::io::Error::other(e)))?;
    let letter = std::sync::Arc::new(made?);
    let (mut reached, mut wrong) = (0, None);
    let most = out.to.len();
    for to in out.to.clone() {
        progress(reached, most);
        let (app_of, channel, secrets, letter) =
            (app.clone(), out.channel.clone(), secrets.clone(), letter.clone());
        let delivery = to.delivery;
        let task = tokio::task::spawn_blocking(move || {
            let now = now();
            let means = Means {
                door: &app_of.0.outbound,
                settings: &channel.settings,
                secrets: &secrets,
                site: &app_of.site().address,
                now: &now,
            };
            mail::deliver(&means, &compose(&means, &letter, &to)?)
        });
        let came = task.await.map_err(|e| Error::io("sending a report", std::io::Error::other(e)))?;
        match came {
            Ok(()) => {
                report::sent(app.db(), delivery, &now()).await?;
                reached += 1;
            }
            Err(e) => {
                report::failed(app.db(), delivery, &e.to_string()).await?;
                // one that may work later keeps the job alive for all
                if wrong.as_ref().is_none_or(|w: &Unsent| !w.is_passing()) {
                    wrong = Some(e);
                }
            }
        }
    }
    match wrong {
        None => Ok(reached),
        Some(e) if e.is_passing() => Err(Error::io(out.channel.name, std::io::Error::other(e.to_string()))),
        Some(e) => {
            Err(tocsin_core::Error::Rejected { field: out.channel.name, message: e.to_string() }.into())
        }
    }
}

fn letter(whole: &Whole) -> Result<Letter, Error> {
    let pdf = pdf::make(whole)
        .map_err(|e| tocsin_core::Error::Rejected { field: "report".to_owned(), message: e.to_string() })?;
    Ok(Letter {
        subject: words::subject(whole),
        html: words::html(whole),
        plain: words::plain(whole),
        file: format!("{}.pdf", words::file_name(whole)),
        pdf,
        thread: format!("{}-{}", whole.report.year, whole.report.number),
    })
}

/// The mail to one recipient. Its id is that of the delivery, so that a mail that was taken twice can be told.
fn compose(means: &Means<'_>, letter: &Letter, to: &Receiver) -> Result<lettre::Message, Unsent> {
    let never = |what: &str, e: &dyn std::fmt::Display| Unsent::Never(format!("{what}: {e}"));
    let from: Mailbox = means.setting("from").parse().map_err(|e| never("the channel's sender", &e))?;
    let address = to.address.parse().map_err(|e| never("the address", &e))?;
    let domain = from.email.domain().to_owned();
    let root = format!("<tocsin.report.{}@{domain}>", letter.thread);
    let kind = ContentType::parse("application/pdf").map_err(|e| never("the PDF", &e))?;
    let parts = MultiPart::mixed()
        .multipart(
            MultiPart::alternative()
                .singlepart(SinglePart::plain(letter.plain.clone()))
                .singlepart(SinglePart::html(letter.html.clone())),
        )
        .singlepart(Attachment::new(letter.file.clone()).body(letter.pdf.clone(), kind));
    lettre::Message::builder()
        .from(from)
        .to(Mailbox::new(Some(to.name.clone()).filter(|n| !n.is_empty()), address))
        .subject(letter.subject.clone())
        .message_id(Some(format!("<tocsin.report-delivery.{}@{domain}>", to.delivery)))
        .in_reply_to(root.clone())
        .references(root)
        .multipart(parts)
        .map_err(|e| never("writing the mail", &e))
}
