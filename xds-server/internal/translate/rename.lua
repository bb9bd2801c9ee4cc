-- Puts the version's own name of the model, which x-weir-upstream-model says, in the
-- place of the client's. Where that stands the filter says in x-weir-name-at: "/" and
-- the segment of the path as it came, or "from-to/length" in bytes of the body, with
-- the body's length if it is known. Without a name of its own a version gets the
-- client's, also after an attempt at one with another: all attempts share the headers.
local function rename_path(headers, new)
  local before, after = string.match(headers:get(":path"), "^(/v2/models/)[^/?]*(.*)$")
  if before then headers:replace(":path", before .. new .. after) end
end

local function set_length(headers, length)
  if length then
    headers:replace("content-length", string.format("%d", length))
  else
    headers:remove("content-length") -- of the attempt before
  end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local at, name = headers:get("x-weir-name-at"), headers:get("x-weir-upstream-model")
  if at == nil then return end
  if string.sub(at, 1, 1) == "/" then
    rename_path(headers, name and string.gsub(name, "/", "%%2F") or string.sub(at, 2))
    return
  end
  local from, to, length = string.match(at, "^(%d+)-(%d+)/(%d*)$")
  from, to, length = tonumber(from), tonumber(to), tonumber(length)
  if name and length then length = length + #name - (to - from) end
  set_length(headers, length)
  if name == nil then return end
  -- The filter lets such a body go in one piece. In several this would not do: to
  -- write one anew sets content-length to its length.
  for chunk in handle:bodyChunks() do
    local size = chunk:length()
    if size >= to then
      chunk:setBytes(chunk:getBytes(0, from) .. name .. chunk:getBytes(to, size - to))
      return
    end
  end
end
