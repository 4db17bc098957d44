-- Visits where they are known. A visit that nobody measured a bounce of is in neither rate.
with

touches as (

    select * from staging.stg_web__touches
    where report_date >= @history_start

),

origins as (

    select * from identity.origins
    where report_date >= @history_start and entity_kind = 'touch'

),

visits_daily as (

    select
        touches.report_date,
        origins.platform,
        origins.account_id,
        origins.campaign_id,
        count(*) as visits,
        countif(touches.is_bounce is not null) as measured_visits,
        countif(touches.is_bounce) as bounces,
        @rules_version as rules_version,
        @as_of as as_of
    from touches
    inner join origins
        on
            touches.report_date = origins.report_date
            and touches.touch_id = origins.entity_key
    group by touches.report_date, origins.platform, origins.account_id, origins.campaign_id

)

select * from visits_daily
