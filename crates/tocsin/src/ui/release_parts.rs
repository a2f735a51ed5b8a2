//! Parts of a release's page: overview, dependency graph as drawing, list and tree, and how its operating system is
//! built.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;

use tocsin_core::Result;
use tocsin_core::detection::{self, Filter, Finding};
use tocsin_core::inventory::{
    self, Deployment, Graph, Licence, Node, Release, ReleaseEdit, Stakeholder, System,
};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_formats::system::{self, Measure};

use super::draw::{self, Drawing};
use crate::server::App;

/// What the overview shows.
#[derive(Default)]
pub struct Overview {
    /// Note and days.
    pub edit: ReleaseEdit,
    /// Most urgent open findings.
    pub urgent: Vec<Finding>,
    /// Most common licences.
    pub licences: Vec<Licence>,
    /// Customers with most units.
    pub owners: Vec<Deployment>,
    /// Customers in all.
    pub customers: usize,
    /// Who is told of it.
    pub told: Vec<Stakeholder>,
    /// Something is told of its operating system.
    pub has_system: bool,
}

/// A way from the product to a component.
pub type Way = Vec<Node>;

/// A node as the list shows it.
pub struct Listed {
    /// The component.
    pub node: Node,
    /// How many it needs.
    pub needs: usize,
    /// By how many it is needed.
    pub needed_by: usize,
}

/// What the graph shows.
#[derive(Default)]
pub struct GraphView {
    /// The drawing.
    pub drawing: Drawing,
    /// The component from which it is drawn.
    pub at: Option<Node>,
    /// Why that is in the release.
    pub ways: Vec<Way>,
    /// What needs it.
    pub needed_by: Vec<Node>,
    /// What it needs.
    pub needs: Vec<Node>,
    /// How many lie below it.
    pub below: usize,
    /// Components that were searched for.
    pub found: Vec<Node>,
    /// There are more than these.
    pub more: usize,
    /// The text that was searched for.
    pub find: String,
    /// As a list.
    pub as_list: bool,
    /// The list, where it is one.
    pub list: Vec<Listed>,
    /// Where the list begins.
    pub skip: usize,
    /// Nodes in all.
    pub nodes: usize,
    /// Edges in all.
    pub edges: usize,
}

/// How an operating system is built, read.
#[derive(Default)]
pub struct SystemView {
    /// As it was told.
    pub told: System,
    /// Fields of the os-release.
    pub os: Vec<(String, String)>,
    /// Version of the kernel.
    pub kernel: String,
    /// Options that are set, and in all.
    pub options: (usize, usize),
    /// The kernel's self-protection.
    pub measures: Vec<Measure>,
    /// Packages that are listed.
    pub packages: Vec<(String, String)>,
}

impl SystemView {
    /// Measures that are as they should be.
    pub fn good(&self) -> usize {
        self.measures.iter().filter(|m| m.good).count()
    }
}

/// Reads the overview.
///
/// # Errors
/// The database does not answer.
pub async fn overview(app: &App, actor: &Actor, r: &Release) -> Result<Overview> {
    let db = app.db();
    let urgent = if actor.may(Permission::FindingRead) {
        let filter = Filter { release: Some(r.id), ..Filter::default() };
        let page = detection::findings(db, actor, &filter, None, 30).await?;
        let open = |f: &Finding| !["not_affected", "fixed", "false_positive"].contains(&f.status.as_str());
        page.findings.into_iter().filter(open).take(8).collect()
    } else {
        Vec::new()
    };
    let mut licences = inventory::licences(db, actor, r.id).await?;
    licences.truncate(8);
    let mut owners = inventory::deployments(db, actor, r.id).await?;
    let customers = owners.iter().map(|d| d.customer.as_str()).collect::<HashSet<_>>().len();
    owners.sort_by_key(|d| std::cmp::Reverse(d.units));
    owners.truncate(6);
    Ok(Overview {
        edit: inventory::release_edit(db, actor, r.id).await?,
        urgent,
        licences,
        owners,
        customers,
        told: inventory::told(db, actor, r.id).await?,
        has_system: inventory::has_system(db, actor, r.id).await?,
    })
}

/// Rows of the list on one page.
pub const LISTED: usize = 200;
/// Components that a search lists.
const FOUND: usize = 40;

/// Reads and draws the graph as `query` asks: `at` (a component), `find` (a text), `view=list`, `skip`.
///
/// # Errors
/// The database does not answer.
pub async fn graph(
    app: &App,
    actor: &Actor,
    release: i64,
    query: &HashMap<String, String>,
) -> Result<GraphView> {
    let g = inventory::graph(app.db(), actor, release).await?;
    let get = |name: &str| query.get(name).map_or("", String::as_str);
    Ok(view(
        &g,
        release,
        get("at").parse().ok(),
        get("find"),
        get("view") == "list",
        get("skip").parse().unwrap_or(0),
    ))
}

fn view(g: &Graph, release: i64, at: Option<i64>, find: &str, as_list: bool, skip: usize) -> GraphView {
    let node = |n: &usize| g.nodes.get(*n).cloned();
    let nodes = |list: &[usize]| list.iter().filter_map(node).collect::<Vec<Node>>();
    let at = at.and_then(|id| g.find(id));
    let found = g.search(find);
    let mut marked: HashSet<usize> = found.iter().take(FOUND).copied().collect();
    for n in found.iter().take(FOUND) {
        marked.extend(g.ways(*n, 1).into_iter().flatten());
    }
    let mut out = GraphView {
        nodes: g.nodes.len(),
        edges: g.edges(),
        find: find.trim().to_owned(),
        found: nodes(found.get(..found.len().min(FOUND)).unwrap_or_default()),
        more: found.len().saturating_sub(FOUND),
        as_list,
        skip,
        ..GraphView::default()
    };
    let mut from = g.tops();
    if let Some(n) = at {
        out.at = node(&n);
        out.ways = g.ways(n, 8).iter().map(|w| nodes(w)).collect();
        out.needed_by = nodes(g.needed_by(n));
        out.needs = nodes(g.needs(n));
        out.below = g.count_below(n);
        marked.insert(n);
        from = vec![n];
    }
    if as_list {
        let all: Vec<usize> = if !found.is_empty() { found } else { (0..g.nodes.len()).collect() };
        let row = |n: &usize| {
            Some(Listed { node: node(n)?, needs: g.needs(*n).len(), needed_by: g.needed_by(*n).len() })
        };
        out.list = all.iter().skip(skip).take(LISTED).filter_map(row).collect();
    } else if !g.nodes.is_empty() {
        out.drawing = draw::graph(g, &from, &marked, &draw::base(release, find.trim()));
    }
    out
}

/// Nodes of the tree, and how deep it goes.
const TREE: usize = 600;
const DEEP: usize = 8;

/// The components of a release as a tree of lists, closed below the second level: HTML, and how many are not in it.
///
/// # Errors
/// The database does not answer.
pub async fn tree(app: &App, actor: &Actor, release: i64) -> Result<(String, usize)> {
    let g = inventory::graph(app.db(), actor, release).await?;
    Ok(nested(&g, release))
}

fn nested(g: &Graph, release: i64) -> (String, usize) {
    let mut out = String::from("<ul class=\"tree\">");
    let mut seen = HashSet::new();
    let mut left = TREE;
    for top in g.tops() {
        branch(g, release, top, 0, &mut seen, &mut left, &mut out);
    }
    // What hangs together apart from the root.
    for n in 0..g.nodes.len() {
        if g.needed_by(n).is_empty() && !seen.contains(&n) {
            branch(g, release, n, 0, &mut seen, &mut left, &mut out);
        }
    }
    out.push_str("</ul>");
    (out, g.nodes.len() - seen.len())
}

fn text(raw: &str) -> String {
    raw.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn branch(
    g: &Graph,
    release: i64,
    n: usize,
    depth: usize,
    seen: &mut HashSet<usize>,
    left: &mut usize,
    out: &mut String,
) {
    let (Some(node), true) = (g.nodes.get(n), *left > 0) else { return };
    *left -= 1;
    let again = !seen.insert(n);
    let _ = write!(
        out,
        "<li><a class=\"mono\" href=\"/components/{}\">{}</a> <span class=\"soft mono\">{}</span>",
        node.id,
        text(&node.name),
        text(&node.version)
    );
    if node.findings > 0 {
        let (word, letter) = match node.worst {
            5 => ("critical", "▲C"),
            4 => ("high", "◆H"),
            3 => ("medium", "●M"),
            2 => ("low", "▪L"),
            _ => ("unknown", "–"),
        };
        let _ = write!(
            out,
            " <span class=\"sev {word}\"><i aria-hidden=\"true\">{letter}</i>{}<span class=\"sr\"> open, worst {word}</span></span>",
            node.findings
        );
    }
    let needs = g.needs(n);
    if again && !needs.is_empty() {
        out.push_str(" <span class=\"soft\">needs are shown above</span>");
    } else if !needs.is_empty() && depth + 1 < DEEP && *left > 0 {
        let open = if depth == 0 { " open" } else { "" };
        let _ = write!(out, "<details{open}><summary>needs {}</summary><ul>", needs.len());
        for child in needs {
            branch(g, release, *child, depth + 1, seen, left, out);
        }
        out.push_str("</ul></details>");
    } else if !needs.is_empty() {
        let _ = write!(
            out,
            " <a href=\"/releases/{release}?tab=graph&amp;at={}\">needs {}</a>",
            node.id,
            needs.len()
        );
    }
    out.push_str("</li>");
}

/// Reads how the operating system is built.
///
/// # Errors
/// The database does not answer.
pub async fn system(app: &App, actor: &Actor, release: i64) -> Result<SystemView> {
    let told = inventory::system(app.db(), actor, release).await?;
    let config: BTreeMap<String, String> = system::kernel_config(&told.kernel_config);
    Ok(SystemView {
        os: system::os_release(&told.os_release),
        kernel: system::kernel_version(&told.kernel_config).unwrap_or_default(),
        options: (config.values().filter(|v| *v != "n").count(), config.len()),
        measures: system::measures(&config),
        packages: system::packages(&told.packages),
        told,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn g() -> Graph {
        let node = |id: i64| Node {
            id,
            name: format!("n&{id}"),
            version: "1".into(),
            findings: i64::from(id == 3),
            worst: 5,
        };
        Graph::new((1..=4).map(node).collect(), &[(1, 2), (2, 3), (3, 2), (1, 3)], 1)
    }

    #[test]
    fn the_tree_shows_everything_once_and_ends() {
        let (html, missing) = nested(&g(), 7);
        assert_eq!(missing, 0);
        assert_eq!(html.matches("<li>").count(), html.matches("</li>").count());
        assert!(html.contains("needs are shown above") && html.contains("n&amp;4") && !html.contains("n&4"));
    }

    #[test]
    fn the_list_says_what_the_drawing_does() {
        let v = view(&g(), 7, Some(3), "", true, 0);
        assert_eq!((v.list.len(), v.nodes, v.edges, v.below), (4, 4, 4, 1));
        assert_eq!(v.ways.len(), 2);
        let v = view(&g(), 7, None, "n&3", false, 0);
        assert_eq!((v.found.len(), v.drawing.drawn), (1, 3));
    }
}
