-- http-request lua.verify PATH: asks rest-auth there who makes the request. Who has signed in
-- passes, with the fields that say who it is; everybody else is given rest-auth's answer, and 503
-- where there is none.

local server = "http://127.0.0.1:5000"
local timeout = 10000 -- in milliseconds; a password may wait for its turn.

-- Not sent along: what is about the connection or the body, and what is the application's. Origin
-- and Sec-Fetch-Site say whether the application was asked by a page of another site. What may link
-- to it, it says itself.
local kept = {
    ["connection"] = true, ["content-length"] = true, ["expect"] = true, ["keep-alive"] = true, ["te"] = true,
    ["transfer-encoding"] = true, ["upgrade"] = true, ["cookie"] = true, ["origin"] = true, ["sec-fetch-site"] = true,
}

-- The application is told the first, the client the others.
local identity = { "remote-user", "remote-user-id", "remote-groups" }
local refusal = { "www-authenticate", "content-type", "retry-after", "ratelimit", "ratelimit-policy", "cache-control" }

-- HAProxy counts the values of a field from 0.
local function values(headers, name)
    local list, index = {}, 0
    while headers and headers[name] and headers[name][index] do
        list[index + 1] = headers[name][index]
        index = index + 1
    end
    return list
end

core.register_action("verify", { "http-req" }, function(txn, path)
    local sent, asked = txn.http:req_get_headers(), {}
    for name in pairs(sent) do
        if not kept[name] then asked[name] = values(sent, name) end
    end
    local answer = core.httpclient():get({ url = server .. path, headers = asked, timeout = timeout })
    if answer.status == 200 then
        for _, name in ipairs(identity) do
            local value = values(answer.headers, name)[1]
            if value and value ~= "" then txn.http:req_set_header(name, value) end
        end
        return
    end
    local isRefusal = answer.status >= 400 and answer.status <= 599
    local reply = txn:reply({ status = isRefusal and answer.status or 503, body = isRefusal and answer.body or "" })
    for _, name in ipairs(refusal) do
        for _, value in ipairs(values(answer.headers, name)) do reply:add_header(name, value) end
    end
    txn:done(reply)
end, 1)
