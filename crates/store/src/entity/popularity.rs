//! Rows of rankings.

/// What was sold on a day.
pub(crate) mod popularity_day {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "popularity_days")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) kind: i16,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) day: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) subject_id: i64,
        pub(crate) units: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What was sold of late.
pub(crate) mod popularity_now {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "popularity_now")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) kind: i16,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) subject_id: i64,
        pub(crate) count: f64,
        pub(crate) as_of: i64,
        pub(crate) heat: f64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// An event that was counted.
pub(crate) mod counted_event {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "popularity_events")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) event_id: String,
        pub(crate) counted_at: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A published chart.
pub(crate) mod chart {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "charts")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) kind: i16,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) period: i16,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) day: i64,
        #[sea_orm(column_type = "Text")]
        pub(crate) places: String,
        pub(crate) published_at: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Who makes the charts of a day.
pub(crate) mod chart_run {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "chart_runs")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) day: i64,
        pub(crate) claimed_until: i64,
        pub(crate) published: bool,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
