//! Promises that the database can check by itself, one statement for each: that what a row refers to exists, and that
//! a row can be as it is. Each gives the keys of the rows that break it; where a table's rows are looked up, it is by
//! a key.

use jiff::tz::TimeZone;
use onsale_engine::media::MEDIA_PATH;

/// A promise, and the statement that gives the rows that break it.
pub(super) struct Promise {
    /// The fault of these rows, in words.
    pub(super) what: &'static str,
    /// Whether they refer to an account that does not exist.
    pub(super) of_nobody: bool,
    pub(super) sql: String,
    /// Which of the texts that the statement gives are right; none if no row is.
    pub(super) is_right: Option<fn(&str) -> bool>,
}

/// (what, table, its key, the column that refers, the table referred to, its key)
type Reference = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

const REFERENCES: &[Reference] = &[
    ("order of a buyer that does not exist", "orders", "id", "user_id", "users", "id"),
    ("payment by somebody who does not exist", "payments", "order_id", "user_id", "users", "id"),
    ("wallet of nobody", "wallets", "user_id", "user_id", "users", "id"),
    ("idempotency key of nobody", "idempotency_keys", "user_id, key_id", "user_id", "users", "id"),
    ("session of nobody", "sessions", "id", "user_id", "users", "id"),
    ("identity of nobody", "identities", "user_id", "user_id", "users", "id"),
    ("show of an owner that does not exist", "shows", "id", "owner_id", "users", "id"),
    ("item of an owner that does not exist", "items", "id", "owner_id", "users", "id"),
    ("venue of an owner that does not exist", "venues", "id", "owner_id", "users", "id"),
    ("waiting room of an owner that does not exist", "rooms", "id", "owner_id", "users", "id"),
    ("picture of an owner that does not exist", "media", "name", "owner_id", "users", "id"),
    ("webhook of an owner that does not exist", "webhooks", "id", "owner_id", "users", "id"),
    ("hall of a venue that does not exist", "halls", "id", "venue_id", "venues", "id"),
    ("performance of a show that does not exist", "performances", "id", "show_id", "shows", "id"),
    ("performance in a hall that does not exist", "performances", "id", "hall_id", "halls", "id"),
    (
        "price of a performance that does not exist",
        "price_levels",
        "performance_id, category",
        "performance_id",
        "performances",
        "id",
    ),
    (
        "part of the title of a show that does not exist",
        "show_grams",
        "show_id, gram",
        "show_id",
        "shows",
        "id",
    ),
    ("import of a show that does not exist", "show_imports", "show_id", "show_id", "shows", "id"),
    ("stock of an item that does not exist", "stocks", "item_id", "item_id", "items", "id"),
    ("item without a stock", "items", "id", "id", "stocks", "item_id"),
    (
        "offer behind a waiting room that does not exist",
        "room_performances",
        "performance_id",
        "room_id",
        "rooms",
        "id",
    ),
    ("change of a waiting room that does not exist", "room_changes", "id", "room_id", "rooms", "id"),
    ("count of a sale without its day's charts", "charts", "kind, period, day", "day", "chart_runs", "day"),
];

/// (what, table, its key, the condition of what is wrong; `t` is the table)
type Condition = (&'static str, &'static str, &'static str, &'static str);

const CONDITIONS: &[Condition] = &[
    // A hall that is being added has no row yet, but a draft.
    (
        "category of a hall that does not exist",
        "hall_categories",
        "hall_id, category",
        "NOT EXISTS (SELECT 1 FROM halls p WHERE p.id = t.hall_id)
            AND NOT EXISTS (SELECT 1 FROM hall_drafts d WHERE d.hall_id = t.hall_id)",
    ),
    (
        "row of a hall that does not exist",
        "hall_rows",
        "hall_id, row_index",
        "NOT EXISTS (SELECT 1 FROM halls p WHERE p.id = t.hall_id)
            AND NOT EXISTS (SELECT 1 FROM hall_drafts d WHERE d.hall_id = t.hall_id)",
    ),
    (
        "ledger entry of a wallet of nobody",
        "ledger_entries",
        "transfer_id, account",
        "t.account >= 0 AND NOT EXISTS (SELECT 1 FROM users p WHERE p.id = t.account)",
    ),
    (
        "waiting room in front of a performance that does not exist",
        "room_performances",
        "performance_id",
        "t.performance_id >= 0 AND NOT EXISTS (SELECT 1 FROM performances p WHERE p.id = t.performance_id)",
    ),
    (
        "waiting room in front of an item that does not exist",
        "room_performances",
        "performance_id",
        "t.performance_id < 0 AND NOT EXISTS (SELECT 1 FROM items p WHERE p.id = -t.performance_id)",
    ),
    (
        "terms of a performance that does not exist",
        "offer_terms",
        "offer, revision",
        "t.offer >= 0 AND NOT EXISTS (SELECT 1 FROM performances p WHERE p.id = t.offer)",
    ),
    (
        "terms of an item that does not exist",
        "offer_terms",
        "offer, revision",
        "t.offer < 0 AND NOT EXISTS (SELECT 1 FROM items p WHERE p.id = -t.offer)",
    ),
    (
        "terms that cannot be",
        "offer_terms",
        "offer, revision",
        "t.hold_ms < 1 OR t.per_buyer_max < 1 OR t.revision < 1",
    ),
    (
        "price of a category that the hall has not",
        "price_levels",
        "performance_id, category",
        "NOT EXISTS (SELECT 1 FROM performances p JOIN hall_categories c ON c.hall_id = p.hall_id
            WHERE p.id = t.performance_id AND c.category = t.category)",
    ),
    ("price below zero", "price_levels", "performance_id, category", "t.price < 0"),
    ("show of an unknown kind", "shows", "id", "t.kind NOT IN ('movie', 'concert')"),
    (
        "show with a date that is none",
        "shows",
        "id",
        "t.release_date IS NOT NULL AND t.release_date NOT LIKE '%____-__-__'",
    ),
    ("show that runs for less than nothing", "shows", "id", "t.running_time_min < 0"),
    (
        "hall whose seats are not as many as it says",
        "halls",
        "id",
        "t.seat_count <> (SELECT COUNT(*) FROM seats s
            WHERE s.id >= t.first_seat_id AND s.id < t.first_seat_id + t.seat_count)",
    ),
    (
        "halls that share seats",
        "halls",
        "id",
        "EXISTS (SELECT 1 FROM halls h WHERE h.first_seat_id > t.first_seat_id
            AND h.first_seat_id < t.first_seat_id + t.seat_count)",
    ),
    (
        "seat of no hall",
        "seats",
        "id",
        "COALESCE((SELECT h.first_seat_id + h.seat_count FROM halls h
            WHERE h.first_seat_id <= t.id ORDER BY h.first_seat_id DESC LIMIT 1), 0) <= t.id
            AND NOT EXISTS (SELECT 1 FROM hall_drafts d
                WHERE t.id >= d.first_seat_id AND t.id < d.first_seat_id + d.seat_count)",
    ),
    (
        "seat in a row that its hall has not",
        "seats",
        "id",
        "NOT EXISTS (SELECT 1 FROM hall_rows r WHERE r.row_index = t.row_index AND r.hall_id =
            (SELECT h.id FROM halls h WHERE h.first_seat_id <= t.id ORDER BY h.first_seat_id DESC LIMIT 1))
            AND NOT EXISTS (SELECT 1 FROM hall_drafts d
                WHERE t.id >= d.first_seat_id AND t.id < d.first_seat_id + d.seat_count)",
    ),
    (
        "seat in a category that its hall has not",
        "seats",
        "id",
        "NOT EXISTS (SELECT 1 FROM hall_categories c WHERE c.category = t.category AND c.hall_id =
            (SELECT h.id FROM halls h WHERE h.first_seat_id <= t.id ORDER BY h.first_seat_id DESC LIMIT 1))
            AND NOT EXISTS (SELECT 1 FROM hall_drafts d
                WHERE t.id >= d.first_seat_id AND t.id < d.first_seat_id + d.seat_count)",
    ),
    (
        "next seat id that is in use",
        "id_runs",
        "kind",
        "t.kind = 'seat' AND t.next_id <= (SELECT COALESCE(MAX(s.id), 0) FROM seats s)",
    ),
    (
        "performance that cannot be",
        "performances",
        "id",
        "t.ends_at < t.starts_at OR t.hold_ms < 1 OR t.seats_per_buyer_max < 1 OR t.revision < 1 OR t.version < 0",
    ),
    (
        "performance with orders that says that it has never had any",
        "performances",
        "id",
        "t.version = 0 AND EXISTS (SELECT 1 FROM orders o WHERE o.performance_id = t.id)",
    ),
    ("item that cannot be", "items", "id", "t.price < 0 OR t.hold_ms < 1 OR t.units_per_buyer_max < 1"),
    (
        "item of a kind that does not fit its opening",
        "items",
        "id",
        "t.kind <> CASE WHEN t.start_at IS NULL THEN 'GENERAL' ELSE 'TIME_DEAL' END",
    ),
    ("stock that cannot be", "stocks", "item_id", "t.revision < 1 OR t.version < 0"),
    ("account of an unknown role", "users", "id", "t.role NOT IN ('user', 'organiser', 'admin')"),
    (
        "closed account that still has an address",
        "users",
        "id",
        "t.closed_at IS NOT NULL AND t.email IS NOT NULL",
    ),
    ("session that ends before it begins", "sessions", "id", "t.expires_at <= t.created_at"),
    ("session whose token is none", "sessions", "id", "LENGTH(t.refresh_hash) <> 32"),
    ("identity that is none", "identities", "user_id", "LENGTH(t.digest) <> 32"),
    ("waiting room that admits nobody known", "rooms", "id", "t.admits NOT IN ('accounts', 'anybody')"),
    ("waiting room without a record", "rooms", "id", "t.record NOT LIKE '{%}'"),
    ("change of a waiting room that says nothing", "room_changes", "id", "t.asked = ''"),
    (
        "outbox row about no order that says nothing",
        "outbox",
        "seq",
        "t.subject IS NOT NULL AND (t.data IS NULL OR t.data NOT LIKE '{%}')",
    ),
    ("event of the log that is none", "event_log", "position", "t.event NOT LIKE '{%}'"),
    ("task of a consumer before the beginning", "event_tasks", "task", "t.position < 0"),
    (
        "webhook that cannot be",
        "webhooks",
        "id",
        "t.secret = '' OR t.url NOT LIKE 'http%' OR t.event_types NOT LIKE '[%]' OR t.show_ids NOT LIKE '[%]'",
    ),
    (
        "delivery that cannot be",
        "deliveries",
        "id",
        "t.state NOT IN (0, 1, 2, 3) OR t.attempts < 0 OR t.channel < 0 OR t.event_id = '' OR t.body = ''",
    ),
    (
        "count of a show that does not exist",
        "popularity_days",
        "kind, day, subject_id",
        "t.kind <> 3 AND NOT EXISTS (SELECT 1 FROM shows p WHERE p.id = t.subject_id)",
    ),
    (
        "count of an item that does not exist",
        "popularity_days",
        "kind, day, subject_id",
        "t.kind = 3 AND NOT EXISTS (SELECT 1 FROM items p WHERE p.id = t.subject_id)",
    ),
    (
        "count of late of a show that does not exist",
        "popularity_now",
        "kind, subject_id",
        "t.kind <> 3 AND NOT EXISTS (SELECT 1 FROM shows p WHERE p.id = t.subject_id)",
    ),
    (
        "count of late of an item that does not exist",
        "popularity_now",
        "kind, subject_id",
        "t.kind = 3 AND NOT EXISTS (SELECT 1 FROM items p WHERE p.id = t.subject_id)",
    ),
    (
        "day whose charts are not those that were published",
        "chart_runs",
        "day",
        "(SELECT COUNT(*) FROM charts c WHERE c.day = t.day) <> CASE WHEN t.published THEN 9 ELSE 0 END",
    ),
    (
        "migration without the one before it",
        "schema_migrations",
        "number",
        "t.number > 1 AND NOT EXISTS (SELECT 1 FROM schema_migrations m WHERE m.number = t.number - 1)",
    ),
];

/// All of them.
pub(super) fn all() -> Vec<Promise> {
    let references = REFERENCES.iter().map(|&(what, table, key, column, to, to_key)| Promise {
        what,
        of_nobody: to == "users",
        sql: format!(
            "SELECT {} FROM {table} t WHERE t.{column} IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM {to} p WHERE p.{to_key} = t.{column})",
            columns(key)
        ),
        is_right: None,
    });
    let conditions = CONDITIONS.iter().map(|&(what, table, key, condition)| Promise {
        what,
        of_nobody: condition.contains("FROM users"),
        sql: format!("SELECT {} FROM {table} t WHERE {condition}", columns(key)),
        is_right: None,
    });
    let pictures = [("shows", "thumbnail_image"), ("items", "image_url")].map(|(table, column)| Promise {
        what: "picture that is not kept",
        of_nobody: false,
        sql: format!(
            "SELECT t.id, t.{column} FROM {table} t WHERE t.{column} LIKE '{MEDIA_PATH}%' AND NOT EXISTS \
             (SELECT 1 FROM media m WHERE m.name = SUBSTR(t.{column}, {}) AND NOT m.removing)",
            MEDIA_PATH.len() + 1
        ),
        is_right: None,
    });
    let zones = ["venues", "items"].map(|table| Promise {
        what: "time zone that does not exist",
        of_nobody: false,
        sql: format!("SELECT DISTINCT t.time_zone FROM {table} t"),
        is_right: Some(|zone| TimeZone::get(zone).is_ok()),
    });
    references.chain(conditions).chain(pictures).chain(zones).collect()
}

fn columns(key: &str) -> String {
    key.split(", ").map(|column| format!("t.{column}")).collect::<Vec<_>>().join(", ")
}
