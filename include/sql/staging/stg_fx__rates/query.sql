-- A missing rate is never one to one: a day without a rate takes the newest earlier one while that
-- is young enough (weekends, holidays), else there is no row and the amount stays unconverted.
with

exchange_rates as (

    select * from raw.exchange_rates
    where
        rate_date >= @history_start
        and load_id in (select load_id from staging.stg_loads)

),

quotes as (

    -- In billionths, as whole numbers: the engines divide fractions differently.
    select
        rate_date,
        upper(base_currency) as base_currency,
        upper(quote_currency) as quote_currency,
        cast(rate * 1000000000 as int64) as rate_nanos,
        load_id
    from exchange_rates
    -- Beyond, the long division below would not fit 64 bits; the raw gate refuses such rates.
    where rate > 0 and rate < 400000
    qualify row_number() over (
        partition by upper(base_currency), upper(quote_currency), rate_date
        order by loaded_at desc, load_id desc, row_hash desc
    ) = 1

),

to_reporting_currency as (

    -- One unit of a currency costs reporting_nanos / currency_nanos.
    select
        base_currency as currency_code,
        rate_date,
        'direct' as derived,
        cast(null as string) as via_currency,
        rate_nanos as reporting_nanos,
        1000000000 as currency_nanos,
        load_id
    from quotes
    where quote_currency = @reporting_currency

    union all

    select
        quote_currency as currency_code,
        rate_date,
        'inverse' as derived,
        cast(null as string) as via_currency,
        1000000000 as reporting_nanos,
        rate_nanos as currency_nanos,
        load_id
    from quotes
    where base_currency = @reporting_currency

    union all

    select
        other.quote_currency as currency_code,
        other.rate_date,
        'cross' as derived,
        other.base_currency as via_currency,
        reporting.rate_nanos as reporting_nanos,
        other.rate_nanos as currency_nanos,
        greatest(other.load_id, reporting.load_id) as load_id
    from quotes as other
    inner join quotes as reporting using (rate_date, base_currency)
    where reporting.quote_currency = @reporting_currency

    union all

    select
        other.base_currency as currency_code,
        other.rate_date,
        'cross' as derived,
        other.quote_currency as via_currency,
        other.rate_nanos as reporting_nanos,
        reporting.rate_nanos as currency_nanos,
        greatest(other.load_id, reporting.load_id) as load_id
    from quotes as other
    inner join quotes as reporting using (rate_date, quote_currency)
    where reporting.base_currency = @reporting_currency

),

one_way_per_day as (

    -- What is quoted goes before what is computed.
    select *
    from to_reporting_currency
    where currency_code != @reporting_currency
    qualify row_number() over (
        partition by currency_code, rate_date
        order by
            case derived when 'direct' then 1 when 'inverse' then 2 else 3 end,
            via_currency,
            reporting_nanos,
            currency_nanos
    ) = 1

),

-- A long division by hand, four decimals at a time, so that nothing leaves 64 bits: whole units,
-- then twelve decimals of which the last is rounded. Twelve of one unit are nine of a thousand.
divided_to_units as (

    select
        *,
        div(reporting_nanos, currency_nanos) as units,
        mod(reporting_nanos, currency_nanos) as rest_of_units
    from one_way_per_day

),

divided_to_four_decimals as (

    select
        *,
        div(rest_of_units * 10000, currency_nanos) as decimals_1_to_4,
        mod(rest_of_units * 10000, currency_nanos) as rest_of_4
    from divided_to_units

),

divided_to_eight_decimals as (

    select
        *,
        div(rest_of_4 * 10000, currency_nanos) as decimals_5_to_8,
        mod(rest_of_4 * 10000, currency_nanos) as rest_of_8
    from divided_to_four_decimals

),

quoted_days as (

    select
        currency_code,
        rate_date as rate_from_date,
        derived,
        via_currency,
        load_id,
        cast(units as numeric) * 1000
        + cast(
            decimals_1_to_4 * 100000000
            + decimals_5_to_8 * 10000
            + div(2 * rest_of_8 * 10000 + currency_nanos, 2 * currency_nanos)
            as numeric
        ) * numeric '0.000000001' as per_thousand,
        lead(rate_date) over (
            partition by currency_code
            order by rate_date
        ) as next_date
    from divided_to_eight_decimals

),

stg_fx__rates as (

    select
        quoted.currency_code,
        rate_date,
        quoted.per_thousand,
        quoted.rate_from_date,
        quoted.derived,
        quoted.via_currency,
        quoted.load_id
    from quoted_days as quoted
    cross join unnest(generate_date_array(
        quoted.rate_from_date,
        date_add(quoted.rate_from_date, interval @max_rate_age_days day)
    )) as rate_date
    where
        rate_date < coalesce(quoted.next_date, date '9999-12-31')
        -- An amount would become nothing; better none than a wrong one.
        and quoted.per_thousand > 0

)

select * from stg_fx__rates
