//! What holds of every document whatever its format: strings and lists within the limits, no NUL in a name.
//!
//! A reader may keep to the limits itself, and earlier; here is the net under all of them.

use tocsin_model::bom::{Bom, Component, License, ThinVec};
use tocsin_model::diagnostic::Diagnostic;

use crate::input::Limits;

/// Sets aside what passes a limit and replaces NUL characters, with a remark at the component.
pub(crate) fn keep(bom: &mut Bom, limits: &Limits) {
    let Bom { components, diagnostics, .. } = bom;
    for c in components {
        let mut keeper = Keeper { limits, longest: 0, cut: false, nul: false };
        keeper.component(c);
        let Keeper { longest, cut, nul, .. } = keeper;
        let mut say = |code, what| diagnostics.push(Diagnostic::new(code, c.path.clone(), what));
        if longest > 0 {
            let limit = limits.string_bytes;
            say(
                "limit-size",
                format!(
                    "a string of {longest} bytes is longer than {limit} (string_bytes) and was set aside"
                ),
            );
        }
        if cut {
            let limit = limits.list_items;
            say(
                "limit-entries",
                format!("a list has more than {limit} items (list_items); the rest was set aside"),
            );
        }
        if nul {
            say("input-encoding", "NUL characters were replaced".to_owned());
        }
    }
}

struct Keeper<'l> {
    limits: &'l Limits,
    /// Longest string set aside, bytes; 0 where there is none.
    longest: usize,
    cut: bool,
    nul: bool,
}

impl Keeper<'_> {
    fn component(&mut self, c: &mut Component) {
        if !self.fits(&mut c.reference) {
            c.reference.clone_from(&c.path);
        }
        if !self.fits(&mut c.name) {
            c.name.clear();
        }
        for field in [&mut c.group, &mut c.version, &mut c.supplier] {
            if field.as_mut().is_some_and(|text| !self.fits(text)) {
                *field = None;
            }
        }
        self.list(&mut c.licenses, |k, license| match license {
            License::Expression(text) | License::Named(text) => k.fits(text),
        });
        self.list(&mut c.hashes, |k, (a, b)| k.fits(a) && k.fits(b));
        self.list(&mut c.references, |k, (a, b)| k.fits(a) && k.fits(b));
        self.list(&mut c.properties, |k, (a, b)| k.fits(a) && k.fits(b));
        self.list(&mut c.locations, Self::fits);
        self.list(&mut c.resolves, Self::fits);
        self.list(&mut c.cpes, |_, _| true);
    }

    fn fits(&mut self, text: &mut String) -> bool {
        if text.contains('\0') {
            self.nul = true;
            *text = text.replace('\0', "\u{fffd}");
        }
        let fits = text.len() <= self.limits.string_bytes;
        if !fits {
            self.longest = self.longest.max(text.len());
        }
        fits
    }

    fn list<T>(&mut self, list: &mut ThinVec<T>, mut fits: impl FnMut(&mut Self, &mut T) -> bool) {
        self.cut |= list.len() > self.limits.list_items;
        list.truncate(self.limits.list_items);
        list.retain_mut(|item| fits(self, item));
    }
}
