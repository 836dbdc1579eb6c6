//! Rows of waiting rooms.

/// A room.
pub(crate) mod room {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "rooms")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) name: String,
        pub(crate) admits: String,
        pub(crate) run_by: i64,
        pub(crate) revision: i64,
        #[sea_orm(column_type = "Text")]
        pub(crate) record: String,
        pub(crate) owner_id: Option<i64>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What is behind a room. The names in the database are from when it was performances alone.
pub(crate) mod room_offer {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "room_performances")]
    pub(crate) struct Model {
        /// See [`onsale_domain::offer::Offer::code`].
        #[sea_orm(primary_key, auto_increment = false, column_name = "performance_id")]
        pub(crate) offer: i64,
        pub(crate) room_id: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A change that was asked for.
pub(crate) mod room_change {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "room_changes")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) room_id: i64,
        #[sea_orm(column_type = "Text")]
        pub(crate) asked: String,
        pub(crate) asked_at: i64,
        pub(crate) answered: bool,
        #[sea_orm(column_type = "Text", nullable)]
        pub(crate) refusal: Option<String>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A part of a room's log.
pub(crate) mod room_log {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "room_log")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) room_id: i64,
        #[sea_orm(column_type = "Blob")]
        pub(crate) entries: Vec<u8>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
