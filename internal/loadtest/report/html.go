package report

// HTML is the report as one page.
func HTML(*Report) ([]byte, error) { return nil, nil }
