//! endoflife.date: how long the series of well-known products are maintained, and their latest versions. One JSON
//! document (API v1, `products/full`), which says nothing of vulnerabilities: it stands at components.

use std::path::Path;

use tocsin_core::intel::Store;
use tocsin_core::intel::feeds::Sum;
use tocsin_core::inventory;
use tocsin_formats::lifecycle;

use super::{Keep, Source};
use crate::error::Error;
use crate::server::now;

/// See the module.
pub struct EndOfLife;

impl Source for EndOfLife {
    fn name(&self) -> &'static str {
        "endoflife"
    }
    fn title(&self) -> &'static str {
        "endoflife.date"
    }
    fn address(&self) -> &'static str {
        "https://endoflife.date/api/v1/products/full"
    }
    fn file(&self) -> &'static str {
        "endoflife.json"
    }
    fn gives(&self) -> &'static str {
        "endoflife"
    }
    fn cron(&self) -> &'static str {
        "19 4 * * *"
    }
    fn most(&self) -> u64 {
        64 << 20
    }
    fn keep(&self) -> Option<&dyn Keep> {
        Some(self)
    }
}

impl Keep for EndOfLife {
    fn keep(&self, store: &Store, path: &Path) -> Result<Result<Sum, String>, Error> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path.display().to_string(), e))?;
        let (products, remarks) = match lifecycle::read(&bytes) {
            Ok(read) => read,
            Err(d) => return Ok(Err(d.to_string())),
        };
        if products.is_empty() {
            return Ok(Err(remarks.first().map_or("it names no product".to_owned(), ToString::to_string)));
        }
        let heard = inventory::hear_lives(store, self.title(), &products, remarks.is_empty(), &now())?;
        let refused = remarks.len() as u64;
        Ok(Ok(Sum { read: heard.read, new: heard.new, changed: heard.changed, refused, ..Sum::default() }))
    }
}
