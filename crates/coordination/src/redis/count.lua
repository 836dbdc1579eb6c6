-- Counts a request, exactly as `Count::take` of the domain does.
--
-- KEYS: the count. ARGV: now in ms or '' for this server's clock, then the rule: requests, window in ms,
-- burst, block in ms, longest block in ms. Answers (1, how many are left, when there is more) or (0, until
-- when, whether it is a block), and in either case whether a block has begun just now, and now.
local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000 + math.floor(time[2] / 1000)
local requests, window = tonumber(ARGV[2]), tonumber(ARGV[3])
local burst, block, block_max = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local grows = block_max > block

local known = redis.call('HMGET', KEYS[1], 'began', 'used', 'due', 'blocked', 'strikes')
local began, blocked = tonumber(known[1] or nil), tonumber(known[4] or nil)
local used, due, strikes = tonumber(known[2] or 0), tonumber(known[3] or 0), tonumber(known[5] or 0)

if blocked then
    if now < blocked then
        return { 0, blocked, 1, 0, now }
    end
    if grows and now - blocked < window then
        began, used, due = now, requests - 1, 0
    else
        began = nil
    end
    blocked = nil
end
if began and now < began and began - now < window then
    -- A clock that was set back a little is waited for.
    now = began
end
if not began or now < began or now - began >= window then
    began, used, due, strikes = now, 0, 0, 0
end

local answer
if used >= requests then
    if block == 0 then
        answer = { 0, began + window, 0, 0, now }
    else
        blocked = now + math.min(block * 2 ^ math.min(strikes, 62), math.max(block_max, block))
        strikes = strikes + 1
        answer = { 0, blocked, 1, 1, now }
    end
else
    local early = 0
    if burst < requests then
        local pace = math.floor(window * 1000 / requests)
        local since = (now - began) * 1000
        early = due - pace * (math.max(burst, 1) - 1) - since
        if early <= 0 then
            due = math.max(due, since) + pace
        end
    end
    if early > 0 then
        answer = { 0, now + math.floor((early + 999) / 1000), 0, 0, now }
    else
        used = used + 1
        answer = { 1, requests - used, began + window, 0, now }
    end
end

local function whole(number)
    return string.format('%.0f', number)
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'began', whole(began), 'used', whole(used), 'due', whole(due), 'strikes', whole(strikes))
local forgotten = began + window
if blocked then
    redis.call('HSET', KEYS[1], 'blocked', whole(blocked))
    forgotten = grows and blocked + window or blocked
end
redis.call('PEXPIRE', KEYS[1], whole(math.max(forgotten - now, 1)))
return answer
