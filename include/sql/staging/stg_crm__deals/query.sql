-- Deals as the CRM tells them today; deleted ones are gone.
with

crm_deals as (

    select * from raw.crm_deals
    where load_id in (select load_id from staging.stg_loads)

),

newest_version_per_deal as (

    select *
    from crm_deals
    qualify row_number() over (
        partition by crm, deal_id
        order by coalesce(updated_at, loaded_at) desc, loaded_at desc, load_id desc, row_hash desc
    ) = 1

),

deals_as_told as (

    select
        crm,
        deal_id,
        crm_record_id,
        coalesce(is_won, false) as is_won,
        coalesce(is_closed, is_won, false) as is_closed,
        deal_amount,
        upper(nullif(trim(currency_code), '')) as currency_code,
        deal_created_at,
        deal_closed_at,
        load_id
    from newest_version_per_deal
    where not coalesce(is_deleted, false)

),

deals_with_their_day as (

    -- A deal is worth what it was on the day it was closed; an open one, of the day it was opened:
    -- that stays what it is, whenever somebody looks.
    select
        *,
        date(
            coalesce(if(is_closed, deal_closed_at, null), deal_created_at), @reporting_time_zone
        ) as amount_date
    from deals_as_told

),

stg_crm__deals as (

    select
        deals.crm,
        deals.deal_id,
        deals.crm_record_id,
        deals.is_won,
        deals.is_closed,
        deals.deal_amount,
        deals.currency_code,
        case
            when deals.deal_amount is null or deals.deal_amount = 0 then deals.deal_amount
            when coalesce(deals.currency_code, @reporting_currency) = @reporting_currency
                then deals.deal_amount
            else deals.deal_amount * rates.per_thousand * numeric '0.001'
        end as reporting_amount,
        coalesce(deals.deal_amount, 0) != 0
        and coalesce(deals.currency_code, @reporting_currency) != @reporting_currency
        and rates.per_thousand is null as is_rate_missing,
        deals.amount_date,
        deals.deal_created_at,
        deals.deal_closed_at,
        deals.load_id
    from deals_with_their_day as deals
    left join staging.stg_fx__rates as rates
        on
            deals.currency_code = rates.currency_code
            and deals.amount_date = rates.rate_date

)

select * from stg_crm__deals
