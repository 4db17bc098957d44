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

stg_crm__deals as (

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

)

select * from stg_crm__deals
