-- Google tells every claim twice, under the day of the click and of the conversion. All of an
-- action's days in a load are read on one basis: chosen day by day, a conversion of the 3rd after
-- a click of the 1st would count on both days, because each knows of one basis only. Meta's
-- actions have one basis each, some the one and some the other.
with

pixel_claims as (

    select * from raw.pixel_claims
    where
        platform_date >= @history_start
        and load_id in (select load_id from staging.stg_loads)

),

stg_ads__claim_bases as (

    select
        load_id,
        platform,
        account_id,
        conversion_action,
        if(countif(claim_basis = 'conversion_date') > 0, 'conversion_date', 'click_date')
            as claim_basis
    from pixel_claims
    group by load_id, platform, account_id, conversion_action

)

select * from stg_ads__claim_bases
