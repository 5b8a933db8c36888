# SPDX-License-Identifier: Apache-2.0
from django.http import HttpResponse
from django.urls import include, path

urlpatterns = [
    path("api/", include("oscarapi.urls")),
    # Every order of the API tells where it is paid, and the shop has to have such a route.
    path("pay/<int:pk>/", lambda request, pk: HttpResponse(status=204), name="api-payment"),
]
