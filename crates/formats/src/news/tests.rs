use super::*;

const BASE: &str = "https://news.example/feed.xml";

fn news(text: &str) -> News {
    read(text.as_bytes(), BASE).unwrap().0
}

#[test]
fn rss_2_is_read_with_what_it_has_and_lacks() {
    let feed = news(
        r#"<?xml version="1.0"?><rss version="2.0" xmlns:media="m" xmlns:content="c" xmlns:dc="d" xmlns:atom="a"><channel>
        <title>The &amp; News</title><link>https://news.example/</link><atom:link href="https://news.example/feed.xml" rel="self"/>
        <item><title>One &amp;lt;b&amp;gt; &nbsp;two</title><link>/a?x=1&amp;y=2</link><guid isPermaLink="false">id-1</guid>
        <media:title>not this</media:title><atom:link rel="self" href="/not"/>
        <description>Short</description><content:encoded><![CDATA[<p>Long <b>text</b> of <a href="https://x.example/poc">it</a></p><script>no()</script>]]></content:encoded>
        <pubDate>Tue, 3 Feb 2026 10:00:00 +0100</pubDate><dc:creator>Ada</dc:creator></item>
        <item><guid>https://news.example/b</guid><description>&lt;p&gt;No title&lt;/p&gt;</description></item>
        <item><link>https://news.example/empty</link></item>
        <item><title>twice</title><guid>id-1</guid></item>
        </channel></rss>"#,
    );
    assert_eq!((feed.title.as_str(), feed.items.len(), feed.whole), ("The & News", 2, true));
    let one = &feed.items[0];
    assert_eq!(one.title, "One <b> two");
    assert_eq!((one.id.as_str(), one.url.as_str()), ("id-1", "https://news.example/a?x=1&y=2"));
    assert_eq!(one.text, "Long text of it (https://x.example/poc)");
    assert_eq!((one.published.as_deref(), one.author.as_str()), (Some("2026-02-03T09:00:00Z"), "Ada"));
    let two = &feed.items[1];
    assert_eq!(
        (two.url.as_str(), two.title.as_str(), two.text.as_str()),
        ("https://news.example/b", "", "No title")
    );
    assert_eq!(two.published, None);
}

#[test]
fn older_rss_and_rdf_are_read() {
    let old = news(
        "<!DOCTYPE rss PUBLIC \"-//Netscape Communications//DTD RSS 0.91//EN\" \"http://my.netscape.com/rss-0.91.dtd\">\
         <rss version=\"0.91\"><channel><title>T</title><item><title>A</title><link>a</link></item></channel></rss>",
    );
    assert_eq!(
        (old.items[0].id.as_str(), old.items[0].url.as_str()),
        ("https://news.example/a", "https://news.example/a")
    );
    let rdf = news(
        r#"<rdf:RDF xmlns:rdf="r" xmlns="http://purl.org/rss/1.0/" xmlns:dc="d"><channel rdf:about="x"><title>JVN</title></channel>
        <item rdf:about="https://jvn.example/1"><title>A</title><link>https://jvn.example/1</link><dc:date>2026-02-03T10:00+09:00</dc:date></item></rdf:RDF>"#,
    );
    assert_eq!((rdf.title.as_str(), rdf.items[0].id.as_str()), ("JVN", "https://jvn.example/1"));
    assert_eq!(rdf.items[0].published.as_deref(), Some("2026-02-03T01:00:00Z"));
}

#[test]
fn atom_is_read_by_the_types_of_its_texts() {
    let feed = news(
        r#"<feed xmlns="http://www.w3.org/2005/Atom" xmlns:thr="http://purl.org/syndication/thread/1.0"><title>L</title>
        <entry><id>urn:uuid:1</id><title type="html">A &amp;amp; &lt;i&gt;b&lt;/i&gt;</title><link href="1/"/>
        <updated>2026-02-03T10:00:00Z</updated><author><name>Ada</name></author><author><email>b@x.example</email></author>
        <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>x &lt; y</p><pre>z  z</pre></div></content>
        <thr:in-reply-to ref="urn:uuid:0" href="https://l.example/0/"/></entry>
        <entry><id>2</id><title>1 &lt; 2 &amp; 3</title><summary type="text">As &lt;b&gt; it is</summary></entry></feed>"#,
    );
    let one = &feed.items[0];
    assert_eq!((one.title.as_str(), one.url.as_str()), ("A & b", "https://news.example/1/"));
    assert_eq!((one.text.as_str(), one.author.as_str()), ("x < y\n\nz z", "Ada, b@x.example"));
    assert_eq!(
        (one.published.as_deref(), one.answers.as_str()),
        (Some("2026-02-03T10:00:00Z"), "urn:uuid:0")
    );
    assert_eq!((feed.items[1].title.as_str(), feed.items[1].text.as_str()), ("1 < 2 & 3", "As <b> it is"));
}

#[test]
fn json_feed_is_read() {
    let feed = news(
        r#"{"version": "https://jsonfeed.org/version/1.1", "title": "J", "items": [
        {"id": 7, "url": "/7", "title": "A", "content_html": "<p>Text</p>", "date_published": "2026-02-03T10:00:00+01:00",
         "authors": [{"name": "Ada"}, {"name": "Bo"}]}, {"content_text": "only text"}]}"#,
    );
    let one = &feed.items[0];
    assert_eq!(
        (one.id.as_str(), one.url.as_str(), one.text.as_str()),
        ("7", "https://news.example/7", "Text")
    );
    assert_eq!((one.published.as_deref(), one.author.as_str()), (Some("2026-02-03T09:00:00Z"), "Ada, Bo"));
    assert_eq!(feed.items.len(), 2);
}

#[test]
fn what_stands_before_a_fault_is_read() {
    let whole = "<rss><channel><item><title>A</title></item><item><title>B</title></item></channel></rss>";
    let (feed, said) = read(whole.get(..60).unwrap().as_bytes(), BASE).unwrap();
    assert_eq!((feed.items.len(), feed.whole, said[0].code), (1, false, "input-syntax"));
    let (feed, _) = read(whole.get(..whole.len() - 16).unwrap().as_bytes(), BASE).unwrap();
    assert_eq!((feed.items.len(), feed.whole), (2, true), "the end of the feed alone is missing");
    let odd = "<rss><channel><item><title>A<br>b</title></p></item><item><title>AT&T & co</title></channel>";
    assert_eq!(news(odd).items.iter().map(|i| i.title.as_str()).collect::<Vec<_>>(), ["Ab", "AT&T & co"]);
    for bad in
        ["", "soon", "<html><body/></html>", "<rss><channel><item><title>A", "{\"items\": [", "{}", "<a/>"]
    {
        assert!(read(bad.as_bytes(), BASE).is_err(), "{bad}");
    }
    let long = vec![b' '; MOST + 1];
    assert_eq!(read(&long, BASE).unwrap_err().code, "limit-size");
}

#[test]
fn hostile_feeds_are_bounded() {
    let deep = format!(
        "<rss><channel><item><title>A</title>{}x{}</item></channel></rss>",
        "<a>".repeat(200_000),
        "</a>".repeat(200_000)
    );
    assert_eq!(news(&deep).items.len(), 1);
    let many = format!(
        "<rss><channel>{}</channel></rss>",
        (0..ITEMS + 5).map(|n| format!("<item><title>{n}</title></item>")).collect::<String>()
    );
    let (feed, said) = read(many.as_bytes(), BASE).unwrap();
    assert_eq!((feed.items.len(), said[0].code), (ITEMS, "limit-entries"));
    let bomb = "<!DOCTYPE r [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><rss><channel><item><title>&b;</title></item></channel></rss>";
    assert_eq!(news(bomb).items[0].title, "&b;");
    let long = format!(
        "<rss><channel><item><title>A</title><description>{}</description></item></channel></rss>",
        "é".repeat(1 << 20)
    );
    assert!(news(&long).items[0].text.len() <= LONG);
}

#[test]
fn encodings_are_read_as_they_are_told_or_found() {
    let of = |bytes: &[u8]| read(bytes, BASE).unwrap().0.items[0].title.clone();
    let item = |declared: &str, title: &[u8]| {
        [
            format!("<?xml version='1.0'{declared}?><rss><channel><item><title>").as_bytes(),
            title,
            b"</title></item></channel></rss>",
        ]
        .concat()
    };
    assert_eq!(of(&item(" encoding='ISO-8859-1'", b"L\xfccke \x96")), "Lücke –");
    assert_eq!(of(&item(" encoding=\"Shift_JIS\"", b"\x90\xc6\x8e\xe3\x90\xab")), "脆弱性");
    assert_eq!(of(&item("", "Lücke".as_bytes())), "Lücke");
    assert_eq!(of(&item(" encoding='utf-8'", b"L\xfccke")), "Lücke", "it is not what it says");
    let utf16: Vec<u8> = [0xfeff]
        .into_iter()
        .chain("<rss><channel><item><title>ü</title></item></channel></rss>".encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(of(&utf16), "ü");
}

#[test]
fn nothing_of_markup_is_left() {
    let cases = [
        ("<p>One</p><p>Two &amp; three</p>", "One\n\nTwo & three"),
        ("a<script>alert('<b>x</b>')</script >b<STYLE>c</STYLE>d", "abd"),
        ("<img src=x onerror=alert(1)>text", "text"),
        ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2"),
        ("&#65;&#x42;&unknown;&amp;lt;", "AB&unknown;&lt;"),
        ("<ul><li>a<li>b</ul>c", "a\nb\nc"),
        ("<a href='javascript:x()'>y</a> <a href=https://x.example/z>x.example/z</a>", "y x.example/z"),
        ("right\u{202e}left\u{0}", "rightleft"),
        ("a<script>never ends", "a"),
        ("<svg><svg>x</svg>y</svg>z", "z"),
        ("<", "<"),
        ("&", "&"),
    ];
    for (html, text) in cases {
        assert_eq!(plain(html), text, "{html}");
    }
}
