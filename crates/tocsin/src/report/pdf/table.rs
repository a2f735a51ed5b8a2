//! Tables: names at the left, numbers at the right, the heads again on each further page.

use super::font::Use;
use super::layout::{BODY, INK, Look, MEASURE, RULE, Role, SIDE, SMALL, SOFT, Setter, Unset};
use crate::report::text::Span;

impl Setter<'_> {
    /// A table whose first column takes what the others leave; numbers stand at the right. Cells of the first column may
    /// have a second, small line.
    pub(super) fn table(
        &mut self,
        heads: &[&str],
        rows: &[(Vec<String>, String)],
        column: f32,
    ) -> Result<(), Unset> {
        let first = MEASURE - column * (heads.len() - 1) as f32;
        self.room(60.0)?;
        self.begin(Role::Table);
        self.begin(Role::TableHead);
        self.begin(Role::Row);
        self.cells(
            heads.iter().map(|h| (*h).to_owned()).collect(),
            (first, column),
            Use::Strong,
            Role::HeadCell,
        )?;
        self.end();
        self.end();
        self.begin(Role::TableBody);
        for (cells, second) in rows {
            let tall = if second.is_empty() { 18.0 } else { 32.0 };
            let page = self.pages.len();
            self.room(tall)?;
            if self.pages.len() != page {
                self.heads_again(heads, (first, column));
            }
            self.begin(Role::Row);
            let look = if second.is_empty() { None } else { Some(second.as_str()) };
            self.row(cells.clone(), look, (first, column))?;
            self.end();
        }
        self.end();
        self.end();
        self.y += 8.0;
        Ok(())
    }

    /// The heads of a table on a further page; they are read once.
    fn heads_again(&mut self, heads: &[&str], (first, column): (f32, f32)) {
        for (n, head) in heads.iter().enumerate() {
            let width = self.fonts.width(head, Use::Strong, SMALL);
            let x = place(n, width, first, column);
            let y = self.y + SMALL * 1.1;
            self.decorate(head, Use::Strong, SMALL, (x, y), SOFT);
        }
        self.y += SMALL * 1.42 + 3.0;
        self.fill([SIDE, self.y - 2.0, MEASURE, 0.6], RULE);
    }

    fn cells(
        &mut self,
        cells: Vec<String>,
        (first, column): (f32, f32),
        used: Use,
        role: Role,
    ) -> Result<(), Unset> {
        let top = self.y;
        let mut lowest = top;
        for (n, cell) in cells.into_iter().enumerate() {
            self.begin(role.clone());
            self.y = top;
            let span = Span { text: cell, strong: used == Use::Strong, ..Span::default() };
            let size = if role == Role::HeadCell { SMALL } else { BODY };
            let colour = if role == Role::HeadCell { SOFT } else { INK };
            let width = self.fonts.width(&span.text, used, size);
            let room = if n == 0 { first - 8.0 } else { column };
            let left = place(n, width.min(room), first, column);
            self.lines(&[span], Look { size, colour, left, width: room + 1.0, after: 0.0 })?;
            self.end();
            lowest = lowest.max(self.y);
        }
        self.y = lowest + 3.0;
        self.fill([SIDE, self.y - 2.0, MEASURE, 0.6], RULE);
        Ok(())
    }

    fn row(
        &mut self,
        mut cells: Vec<String>,
        second: Option<&str>,
        (first, column): (f32, f32),
    ) -> Result<(), Unset> {
        let top = self.y;
        let numbers = cells.split_off(1);
        self.begin(Role::Cell);
        let name = Span { text: cells.pop().unwrap_or_default(), ..Span::default() };
        let look = Look { width: first - 8.0, after: 0.0, ..Look::body() };
        self.lines(&[name], look)?;
        if let Some(second) = second {
            let small = Look { size: SMALL, colour: SOFT, ..look };
            self.lines(&[Span { text: second.to_owned(), ..Span::default() }], small)?;
        }
        self.end();
        // a name of many lines may have come to the next page; the numbers stand where it ends
        let lowest = self.y;
        let base = if lowest > top { top } else { lowest - BODY * 1.42 };
        for (n, number) in numbers.into_iter().enumerate() {
            self.begin(Role::Cell);
            self.y = base;
            let width = self.fonts.width(&number, Use::Plain, BODY);
            let left = place(n + 1, width, first, column);
            let look = Look { left, width: column + 1.0, after: 0.0, ..Look::body() };
            self.lines(&[Span { text: number, ..Span::default() }], look)?;
            self.end();
        }
        self.y = lowest.max(base + BODY * 1.42) + 3.0;
        self.fill([SIDE, self.y - 2.0, MEASURE, 0.6], RULE);
        Ok(())
    }
}

/// Where a cell begins: the first at the left, numbers at the right of their column.
fn place(n: usize, width: f32, first: f32, column: f32) -> f32 {
    if n == 0 { SIDE } else { SIDE + first + column * n as f32 - width }
}
