"""The simulator: policies of traffic replayed over declared traffic and faults, many times, by a seed.

`scenarios` and `choices` say what is asked, `worlds` makes the requests, the policies (`stepped`, `checking`)
see of them what their source of data would show, `runs` plays one release, `results` sums up many.
Pure: the same seed gives the same runs. Nothing here is reached from a task function.
"""
