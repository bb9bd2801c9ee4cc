package engine

// mediaParameter returns a parameter of a header such as content-type (RFC 9110 section
// 5.6.6), empty if it is not there. In quotes it may not have escapes. Of one that stands
// there twice nobody knows which counts: it is a carriage return, which none can be.
//
//go:noinline
func mediaParameter(value, name string) (found string) {
	for i := skipText(value, 0); i < len(value); {
		i++ // the semicolon
		for i < len(value) && (value[i] == ' ' || value[i] == '\t') {
			i++
		}
		end := skipText(value, i)
		part := value[i:end]
		if len(part) > len(name) && part[len(name)] == '=' && equalFold(part[:len(name)], name) {
			if found != "" {
				return "\r"
			}
			found = unquoted(part[len(name)+1:])
		}
		i = end
	}
	return found
}

// skipText returns the offset of the next semicolon that stands outside of quotes, or of
// the end.
func skipText(value string, i int) int {
	for quoted := false; i < len(value) && (quoted || value[i] != ';'); i++ {
		if value[i] == '"' {
			quoted = !quoted
		}
	}
	return i
}

// unquoted returns a value without its quotes and the white space behind it.
func unquoted(value string) string {
	for value != "" && (value[len(value)-1] == ' ' || value[len(value)-1] == '\t') {
		value = value[:len(value)-1]
	}
	if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
		return value[1 : len(value)-1]
	}
	return value
}

// looksASCII says whether text of this content-type has the letters and digits of ASCII
// where UTF-8 has them, whatever the rest is.
//
//go:noinline
func looksASCII(contentType string) bool {
	return inUTF8(contentType) || equalFold(mediaParameter(contentType, "charset"), "iso-8859-1")
}

// inUTF8 says whether text of this content-type is UTF-8: that, by either of its usual names,
// its part ASCII, or nothing said.
//
//go:noinline
func inUTF8(contentType string) bool {
	charset := mediaParameter(contentType, "charset")
	return charset == "" || equalFold(charset, "utf-8") || equalFold(charset, "utf8") || equalFold(charset, "us-ascii")
}
