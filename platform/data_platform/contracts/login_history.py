"""Contract of `logins.login_history`."""

import dataframely as dy

from data_platform.contracts.contract import Contract


class LoginHistory(dy.Schema):
    """Logins of a user by device on a day, as an older job of the app had summed them up. Less sure than a counter."""

    day = dy.Date(primary_key=True, description="The day, as the older job understood it.")
    user_id = dy.Int64(primary_key=True, description="User, as the app numbers them.")
    device = dy.String(primary_key=True, description="Device, as the app names it.")
    user_type = dy.String(description="Kind of user, as the app names it.")
    num_logins = dy.Int64(min=0, description="Logins of the day.")


CONTRACT = Contract(table="logins.login_history", rows=LoginHistory, kept_in="lake")
