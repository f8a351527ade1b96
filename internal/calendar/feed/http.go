package feed

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
)

const (
	maxRedirects = 5
	maxHeader    = 64 << 10
	maxTag       = 1000 // bytes of an ETag that is sent back
)

// transport is how URLs are fetched. No connection is kept for the next time, which is minutes away.
func transport() http.RoundTripper {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DisableKeepAlives:      true,
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: maxHeader,
		TLSHandshakeTimeout:    10 * time.Second,
	}
}

// get fetches a URL, or errSame when the server says that the edition known is the newest.
func (c Config) get(ctx context.Context, known edition) (edition, error) {
	u, err := parseURL(c.URL)
	if err != nil {
		return edition{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return edition{}, errors.New("is no URL")
	}
	request.Header.Set("Accept", "text/calendar, text/csv, application/yaml, */*;q=0.1")
	request.Header.Set("User-Agent", "usher")
	if known.ETag != "" {
		request.Header.Set("If-None-Match", known.ETag)
	}
	if known.Modified != "" {
		request.Header.Set("If-Modified-Since", known.Modified)
	}
	client := http.Client{Transport: c.Transport, CheckRedirect: redirect}
	if client.Transport == nil {
		client.Transport = transport()
	}
	response, err := client.Do(request)
	if err != nil {
		return edition{}, reason(err)
	}
	defer response.Body.Close()
	conditional := known.ETag != "" || known.Modified != ""
	switch {
	case response.StatusCode == http.StatusNotModified && conditional:
		return edition{}, errSame
	case response.StatusCode != http.StatusOK:
		return edition{}, fmt.Errorf("the server answers %d %s", response.StatusCode, http.StatusText(response.StatusCode))
	case response.ContentLength > int64(c.Limits.Bytes):
		return edition{}, errTooLarge(c.Limits.Bytes)
	}
	data, err := readAll(response.Body, c.Limits.Bytes)
	if err != nil {
		return edition{}, reason(err)
	}
	e := edition{Format: formatOf(response, data), data: data}
	if tag := response.Header.Get("ETag"); len(tag) <= maxTag {
		e.ETag = tag
	}
	if modified := response.Header.Get("Last-Modified"); len(modified) <= maxTag {
		e.Modified = modified
	}
	return e, nil
}

// formatOf tells the format of an answer, from its type before its name.
func formatOf(response *http.Response, data []byte) calendar.Format {
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	name := response.Request.URL.Path
	switch kind {
	case "text/csv":
		name = "a.csv"
	case "application/yaml", "application/x-yaml", "text/yaml":
		name = "a.yaml"
	}
	return calendar.FormatOf(name, data)
}

// redirect allows a few, none to what is not encrypted from what is, and tells nobody where it comes from: the URL is a
// secret, and Go's client would send it as the Referer.
func redirect(request *http.Request, via []*http.Request) error {
	request.Header.Del("Referer")
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("is redirected more than %d times", maxRedirects)
	case request.URL.Scheme != "https" && (request.URL.Scheme != "http" || via[0].URL.Scheme == "https"):
		return errors.New("is redirected to what is not https")
	}
	return nil
}

// reason is why a fetch failed, without the URL.
func reason(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	// What the standard library quotes of a redirect's target may be as secret as the URL.
	if text := err.Error(); strings.Contains(text, "://") || strings.Contains(text, "Location") {
		return errors.New("is redirected to what is no URL")
	}
	return err
}
