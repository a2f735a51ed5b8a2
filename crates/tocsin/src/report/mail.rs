//! A report as a mail: HTML with its style in each tag, since mail programs know no other, and plain text beside it.
//! Nothing in it is fetched from anywhere.

use tocsin_core::report::{Section, Whole};

use super::text::{self, Dress, escaped};
use super::{dates, parts, period, tlp_colour, tlp_words};

/// The subject, one line whatever the title holds: the marking first.
pub fn subject(whole: &Whole) -> String {
    let r = &whole.report;
    let line: String = r.title.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    let correction = if r.corrects == 0 { "" } else { "Correction: " };
    format!("[TLP:{}] {correction}{line} ({})", r.tlp, r.label())
}

/// The name of a file that a report goes out as, without its ending.
pub fn file_name(whole: &Whole) -> String {
    let r = &whole.report;
    let revision = if r.revision > 1 { format!("-r{}", r.revision) } else { String::new() };
    format!("report-{}-{:02}{revision}", r.year, r.number)
}

fn marking(tlp: &str) -> String {
    let tlp = escaped(tlp);
    format!(
        "<span style=\"background:#000;color:{};font-weight:bold;padding:2px 8px\">TLP:{tlp}</span>",
        tlp_colour(&tlp)
    )
}

/// The HTML.
pub fn html(whole: &Whole) -> String {
    let r = &whole.report;
    let language = if whole.head.language == "iso" { "en" } else { whole.head.language.as_str() };
    let mut out = format!(
        "<!doctype html>\n<html lang=\"{language}\"><head><meta charset=\"utf-8\"><title>{}</title></head>\
         <body style=\"margin:0;background:#f4f5f7;color:#1a1c24;font:15px/1.5 Helvetica,Arial,sans-serif\">\n\
         <div style=\"max-width:720px;margin:0 auto;padding:24px;background:#fff\">\n<p style=\"text-align:right;margin:0\">{}</p>\n\
         <p style=\"margin:0;color:#585c68\">{}</p>\n<h1 style=\"font-size:24px;line-height:1.25;margin:4px 0\">{}</h1>\n\
         <p style=\"margin:0 0 12px;color:#585c68\">{} · {}</p>\n<p style=\"margin:0 0 16px;color:#585c68;font-size:13px\">{}</p>\n",
        escaped(&r.title),
        marking(&r.tlp),
        escaped(&whole.workspace),
        escaped(&r.title),
        escaped(&period(whole)),
        escaped(&r.label()),
        tlp_words(&r.tlp)
    );
    if r.corrects != 0 {
        out.push_str("<p style=\"margin:0 0 12px\"><b>This is a correction; it takes the place of what was sent before.</b></p>\n");
    }
    out.push_str(&text::html(&text::read(&whole.head.intro), Dress::Mail));
    if !whole.sections.is_empty() {
        out.push_str("<h2 style=\"font-size:17px;margin:20px 0 6px\">Contents</h2>\n<ol style=\"margin:0 0 10px;padding-left:24px\">\n");
        for s in &whole.sections {
            out.push_str(&format!("<li>{}</li>\n", escaped(&s.text.heading)));
        }
        out.push_str("</ol>\n");
    }
    for s in &whole.sections {
        section(&mut out, s, whole);
    }
    out.push_str(&format!(
        "<p style=\"text-align:right;margin:24px 0 0\">{}</p>\n</div>\n</body></html>\n",
        marking(&r.tlp)
    ));
    out
}

fn about(s: &Section) -> Vec<String> {
    let mut about = vec![format!("TLP:{}", s.text.tlp)];
    about.extend(s.facts.ids.iter().take(12).cloned());
    if s.facts.exploited {
        about.push("known to be exploited".to_owned());
    }
    about
}

fn section(out: &mut String, s: &Section, whole: &Whole) {
    out.push_str(&format!(
        "<h2 style=\"font-size:19px;line-height:1.3;margin:26px 0 2px;padding-top:14px;border-top:1px solid #d9dbe2\">{}. {}</h2>\n\
         <p style=\"margin:0 0 8px;color:#585c68;font-size:13px\">{}</p>\n",
        s.place,
        escaped(&s.text.heading),
        escaped(&about(s).join(" · "))
    ));
    for (name, label, markdown) in parts(s) {
        out.push_str(&format!("<h3 style=\"font-size:15px;margin:14px 0 4px\">{label}</h3>\n"));
        out.push_str(&text::html(&text::read(markdown), Dress::Mail));
        if name == "impact" && !s.facts.products.is_empty() {
            products(out, s, whole);
        }
    }
}

fn products(out: &mut String, s: &Section, whole: &Whole) {
    let head = |text: &str, side: &str| {
        format!(
            "<th scope=\"col\" style=\"text-align:{side};padding:4px 8px;border-bottom:1px solid #b9bcc8\">{text}</th>"
        )
    };
    out.push_str(
        "<table style=\"border-collapse:collapse;width:100%;font-size:13px;margin:0 0 4px\"><thead><tr>",
    );
    out.push_str(&head("Product", "left"));
    for text in ["Open findings", "Affected", "Releases", "Units"] {
        out.push_str(&head(text, "right"));
    }
    out.push_str("</tr></thead><tbody>\n");
    for p in &s.facts.products {
        let holds = p.holds.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(", ");
        let second = if holds.is_empty() {
            String::new()
        } else {
            format!("<br><span style=\"color:#585c68\">holds {}</span>", escaped(&holds))
        };
        out.push_str(&format!(
            "<tr><td style=\"padding:4px 8px;border-bottom:1px solid #e3e5ea\">{}{second}</td>",
            escaped(&p.name)
        ));
        for n in [p.findings, p.affected, p.releases, p.units] {
            let n = tocsin_core::platform::query::grouped(u64::try_from(n).unwrap_or(0));
            out.push_str(&format!(
                "<td style=\"text-align:right;padding:4px 8px;border-bottom:1px solid #e3e5ea\">{n}</td>"
            ));
        }
        out.push_str("</tr>\n");
    }
    let at = dates::day(&s.facts.at, &whole.head.language);
    out.push_str(&format!(
        "</tbody></table>\n<p style=\"margin:0 0 10px;color:#585c68;font-size:12px\">As of {}.</p>\n",
        escaped(&at)
    ));
}

/// The plain text.
pub fn plain(whole: &Whole) -> String {
    let r = &whole.report;
    let mut out = format!(
        "TLP:{}\n{}\n\n{}\n{}\n{} · {}\n\n",
        r.tlp,
        tlp_words(&r.tlp),
        whole.workspace,
        r.title,
        period(whole),
        r.label()
    );
    if r.corrects != 0 {
        out.push_str("This is a correction; it takes the place of what was sent before.\n\n");
    }
    let intro = text::plain(&text::read(&whole.head.intro));
    if !intro.is_empty() {
        out.push_str(&format!("{intro}\n\n"));
    }
    for s in &whole.sections {
        let heading = format!("{}. {}", s.place, s.text.heading);
        out.push_str(&format!(
            "{heading}\n{}\n{}\n\n",
            "=".repeat(heading.chars().count()),
            about(s).join(" · ")
        ));
        for (name, label, markdown) in parts(s) {
            out.push_str(&format!(
                "{label}\n{}\n{}\n\n",
                "-".repeat(label.chars().count()),
                text::plain(&text::read(markdown))
            ));
            if name == "impact" {
                for p in &s.facts.products {
                    out.push_str(&format!(
                        "- {}: {} open findings, {} affected, {} releases, {} units\n",
                        p.name, p.findings, p.affected, p.releases, p.units
                    ));
                }
                if !s.facts.products.is_empty() {
                    out.push('\n');
                }
            }
        }
    }
    out.push_str(&format!("TLP:{}\n", r.tlp));
    out
}

/// The whole as Markdown, as it was written.
pub fn markdown(whole: &Whole) -> String {
    let r = &whole.report;
    let line = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let mut out = format!(
        "# {}\n\nTLP:{} · {} · {} · {}\n\n",
        line(&r.title),
        r.tlp,
        line(&whole.workspace),
        r.label(),
        period(whole)
    );
    if !whole.head.intro.trim().is_empty() {
        out.push_str(&format!("{}\n\n", whole.head.intro.trim()));
    }
    for s in &whole.sections {
        out.push_str(&format!("## {}. {}\n\n{}\n\n", s.place, line(&s.text.heading), about(s).join(" · ")));
        for (name, label, markdown) in parts(s) {
            out.push_str(&format!("### {label}\n\n{}\n\n", markdown.trim()));
            if name == "impact" && !s.facts.products.is_empty() {
                out.push_str("| Product | Open findings | Affected | Releases | Units |\n| --- | --: | --: | --: | --: |\n");
                for p in &s.facts.products {
                    out.push_str(&format!(
                        "| {} | {} | {} | {} | {} |\n",
                        line(&p.name),
                        p.findings,
                        p.affected,
                        p.releases,
                        p.units
                    ));
                }
                out.push('\n');
            }
        }
    }
    out
}
