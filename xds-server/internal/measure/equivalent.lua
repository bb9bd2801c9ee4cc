-- The filter's request work as a good Lua author would write it for Envoy:
-- model, caps and user from the JSON body, the semantic token bucket, masks
-- for phone, e-mail, resident ID and bank card, the two routing headers.
local buckets = {}

local function luhn(digits)
  local sum, double = 0, false
  for i = #digits, 1, -1 do
    local d = digits:byte(i) - 48
    if double then
      d = d * 2
      if d > 9 then d = d - 9 end
    end
    sum = sum + d
    double = not double
  end
  return sum % 10 == 0
end

local weights = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
local checks = "10X98765432"

local function resident(id)
  local sum = 0
  for i = 1, 17 do sum = sum + (id:byte(i) - 48) * weights[i] end
  local at = sum % 11 + 1
  return checks:sub(at, at) == id:sub(18, 18):upper()
end

local function stars(n) return ("*"):rep(n) end

local function redact(s)
  local edits, n = 0
  s, n = s:gsub("%f[%w](%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d[%dXx])%f[%W]", function(id)
    if resident(id) then return id:sub(1, 3) .. stars(13) .. id:sub(17) end
  end)
  edits = edits + n
  s, n = s:gsub("%f[%d]%d[%d %-]+%d%f[%D]", function(run)
    local digits = run:gsub("%D", "")
    if #digits >= 13 and #digits <= 19 and luhn(digits) then
      local keep = #digits - 4
      return (run:gsub("%d", function()
        keep = keep - 1
        if keep >= 0 then return "*" end
      end))
    end
  end)
  edits = edits + n
  s, n = s:gsub("%f[%d](1[3-9]%d)%d%d%d%d(%d%d%d%d)%f[%D]", "%1****%2")
  edits = edits + n
  s, n = s:gsub("([%w._%%+-])([%w._%%+-]*)@([%w-]+%.[%w.-]+)", function(first, rest, domain)
    return first .. stars(#rest) .. "@" .. domain
  end)
  return s, edits + n
end

local function hash(user)
  local h = 2166136261
  for i = 1, #user do h = bit.band(bit.bxor(h, user:byte(i)) * 16777619, 0xffffffff) end
  return h % 10000
end

local function admit(key, model, cap, temperature, prompt, now)
  local capacity = 1e12
  local cost = (prompt + cap) / 512 * (1 + 1.2 * temperature / 2)
  local b = buckets[key]
  if not b then
    b = {level = capacity, at = now}
    buckets[key] = b
  end
  b.level = math.min(capacity, b.level + (now - b.at) * 0.3 * capacity)
  b.at = now
  if b.level < cost then return false end
  b.level = b.level - cost
  return true
end

function envoy_on_request(h)
  local headers = h:headers()
  headers:remove("x-weir-model")
  headers:remove("x-weir-bucket")
  headers:remove("x-weir-version")
  local body = h:body()
  headers = h:headers() -- waiting for the body ended the scope of the first
  local s = body:getBytes(0, body:length())
  local model = s:match('"model"%s*:%s*"([^"]*)"')
  if not model then
    h:respond({[":status"] = "400"}, '{"error":{"message":"no model","type":"invalid_request_error","param":"model","code":"missing_model"}}')
    return
  end
  local cap = tonumber(s:match('"max_tokens"%s*:%s*(%d+)') or 512)
  local temperature = tonumber(s:match('"temperature"%s*:%s*([%d.]+)') or 1)
  local key = (headers:get("x-tenant-id") or "") .. "|" .. model
  if not admit(key, model, cap, temperature, #s / 4, os.time()) then
    h:respond({[":status"] = "429"}, '{"error":{"message":"rate limit","type":"tokens","param":null,"code":"rate_limit_exceeded"}}')
    return
  end
  local out, edits = redact(s)
  if edits > 0 then
    local n = body:setBytes(out)
    headers:replace("content-length", n)
  end
  headers:add("x-weir-model", model)
  headers:add("x-weir-bucket", tostring(hash(headers:get("x-user-id") or "")))
end
