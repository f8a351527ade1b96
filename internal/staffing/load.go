package staffing

import "time"

// Load is what server connections are asked to do.
type Load struct {
	// Offered is the mean demand in server connections: requests per second times the seconds each keeps one.
	Offered float64
	// Service is how long a request keeps its server connection, on average.
	Service time.Duration
	// ArrivalSpread is variance over mean of the requests per second, 1 for Poisson's; ServiceSpread is variance over
	// the mean's square of the service time, 1 for exponential ones. 0: not known, taken as 1.
	ArrivalSpread, ServiceSpread float64
}

// Goal is how well requests should be served.
type Goal struct {
	Utilisation float64       // of the server connections, at most
	Wait        time.Duration // longer than this …
	Share       float64       // … waits at most this part of the requests
}
