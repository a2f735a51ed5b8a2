//! News and mail: nothing of markup is left in what is read, and every limit holds.

use std::ops::ControlFlow;

use tocsin_formats::{mail as messages, news as feeds};

use super::check::check_diagnostic;

/// RSS, Atom and JSON Feed.
pub fn news(data: &[u8]) {
    match feeds::read(data, "https://a.example/feed") {
        Ok((news, said)) => {
            said.iter().for_each(check_diagnostic);
            assert!(news.items.len() <= feeds::ITEMS);
            for item in &news.items {
                assert!(item.url.is_empty() || item.url.starts_with("http"), "{}", item.url);
                assert!(!item.title.contains('\n') && item.text.len() <= 256 << 10);
                assert!(item.published.as_deref().is_none_or(|p| feeds::instant(p).as_deref() == Some(p)));
            }
        }
        Err(d) => check_diagnostic(&d),
    }
}

/// One message, and an mbox.
pub fn mail(data: &[u8]) {
    if let Err(d) = messages::read(data) {
        check_diagnostic(&d);
    }
    let all = messages::mbox(data, &mut |_, read| {
        if let Err(d) = read {
            check_diagnostic(&d);
        }
        ControlFlow::Continue(())
    });
    if let Err(d) = all {
        check_diagnostic(&d);
    }
}
