"""The days. One start, one definition for every asset that has days."""

import dagster as dg

from data_platform.leads.delivery import FIRST_DAY

# A key is a calendar day of BUSINESS_TIMEZONE, which is read when a run starts; the set of keys is made while
# definitions load, without a look at settings. It ends with tomorrow in UTC: enough for every zone ahead of UTC.
daily = dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), end_offset=2)
