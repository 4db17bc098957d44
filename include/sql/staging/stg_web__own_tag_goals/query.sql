-- Goals that an own tag or the server log sees: for them GA4 alone proves nothing.
with

stg_web__own_tag_goals as (

    select goals.conversion_goal
    from staging.stg_web__observed_goals as observed
    inner join rules.tag_event_goals as goals using (event_name)
    where observed.observer != 'ga4' and goals.rules_version = @rules_version
    group by goals.conversion_goal

)

select * from stg_web__own_tag_goals
