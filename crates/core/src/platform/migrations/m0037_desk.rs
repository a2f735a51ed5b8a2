//! The analyst desk: items of sources, and what each workspace makes of them: stories with relevance.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0037_desk"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// `item.workspace` is 0 for what all workspaces share. `story.number` counts the stories of a workspace; `points` is the
/// relevance without what age takes, `relevance` with it; `merged` is the story that it became a part of. `lead` is the
/// item that weighs most. `addends`, `why`, `entities`, `features`, `weights`, `industries` and `interests` are JSON or
/// words made of it. `story_apart` holds pairs that an analyst parted, the smaller first. In `desk_state` stand the
/// states of inventory, settings and known exploitation that the stories were last weighed by, and `mark`, up to
/// where items were taken; `turn` goes up where an analyst moves items, so that sorting reads the stories again.
const SCHEMA: &str = "
CREATE TABLE item (id SERIAL_KEY, workspace INTEGER NOT NULL, source TEXT NOT NULL, own TEXT NOT NULL, url TEXT NOT NULL,
  title TEXT NOT NULL, body TEXT NOT NULL, author TEXT NOT NULL, published TEXT NOT NULL, seen TEXT NOT NULL,
  changed TEXT NOT NULL, edition INTEGER NOT NULL, hash TEXT NOT NULL, tlp TEXT NOT NULL, reliability TEXT NOT NULL,
  credibility INTEGER NOT NULL, UNIQUE (workspace, source, own));
CREATE INDEX item_changed ON item (changed, id);
CREATE INDEX item_workspace ON item (workspace, id);
CREATE TABLE item_edition (item INTEGER NOT NULL REFERENCES item (id) ON DELETE CASCADE, n INTEGER NOT NULL,
  title TEXT NOT NULL, body TEXT NOT NULL, seen TEXT NOT NULL, PRIMARY KEY (item, n));
CREATE TABLE story (id SERIAL_KEY, workspace INTEGER NOT NULL REFERENCES workspace (id), number INTEGER NOT NULL,
  title TEXT NOT NULL, lead INTEGER NOT NULL, items INTEGER NOT NULL, sources INTEGER NOT NULL,
  roundup INTEGER NOT NULL, opened TEXT NOT NULL, latest TEXT NOT NULL, ids TEXT NOT NULL, ours TEXT NOT NULL,
  points REAL NOT NULL, relevance REAL NOT NULL, addends TEXT NOT NULL, why TEXT NOT NULL, tlp TEXT NOT NULL,
  marked INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'new', summary TEXT NOT NULL DEFAULT '',
  assessment TEXT NOT NULL DEFAULT '', impact TEXT NOT NULL DEFAULT '', recommendation TEXT NOT NULL DEFAULT '',
  done TEXT NOT NULL DEFAULT '', told INTEGER NOT NULL DEFAULT 0, merged INTEGER NOT NULL DEFAULT 0,
  version INTEGER NOT NULL DEFAULT 1, UNIQUE (workspace, number));
CREATE INDEX story_relevance ON story (workspace, relevance DESC, id DESC) WHERE merged = 0;
CREATE INDEX story_latest ON story (workspace, latest, id);
CREATE TABLE story_item (workspace INTEGER NOT NULL, item INTEGER NOT NULL REFERENCES item (id) ON DELETE CASCADE,
  story INTEGER NOT NULL REFERENCES story (id) ON DELETE CASCADE, edition INTEGER NOT NULL, how TEXT NOT NULL,
  entities TEXT NOT NULL, PRIMARY KEY (workspace, item));
CREATE INDEX story_item_story ON story_item (story, item);
CREATE TABLE story_entity (workspace INTEGER NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, story INTEGER NOT NULL
  REFERENCES story (id) ON DELETE CASCADE, PRIMARY KEY (story, kind, value));
CREATE INDEX story_entity_value ON story_entity (workspace, kind, value);
CREATE TABLE story_tag (story INTEGER NOT NULL REFERENCES story (id) ON DELETE CASCADE, tag TEXT NOT NULL,
  PRIMARY KEY (story, tag));
CREATE TABLE story_apart (workspace INTEGER NOT NULL, a INTEGER NOT NULL, b INTEGER NOT NULL, PRIMARY KEY (a, b));
CREATE TABLE story_event (story INTEGER NOT NULL REFERENCES story (id) ON DELETE CASCADE, n INTEGER NOT NULL,
  at TEXT NOT NULL, actor TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (story, n));
CREATE TABLE story_vote (id SERIAL_KEY, workspace INTEGER NOT NULL, story INTEGER NOT NULL REFERENCES story (id)
  ON DELETE CASCADE, person INTEGER NOT NULL, who TEXT NOT NULL, vote TEXT NOT NULL, features TEXT NOT NULL,
  at TEXT NOT NULL, UNIQUE (story, person));
CREATE INDEX story_vote_workspace ON story_vote (workspace, id);
CREATE TABLE desk_profile (workspace INTEGER PRIMARY KEY REFERENCES workspace (id), weights TEXT NOT NULL,
  industries TEXT NOT NULL, interests TEXT NOT NULL, version INTEGER NOT NULL, changed TEXT NOT NULL);
CREATE TABLE desk_state (workspace INTEGER PRIMARY KEY REFERENCES workspace (id), inventory TEXT NOT NULL,
  profile TEXT NOT NULL, exploitation TEXT NOT NULL, day TEXT NOT NULL,
  mark TEXT NOT NULL, turn INTEGER NOT NULL DEFAULT 0)
";
