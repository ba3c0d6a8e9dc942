import RESTAuth
